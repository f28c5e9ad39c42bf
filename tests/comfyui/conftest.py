"""Real ComfyUI in process: the pack through ComfyUI's loader, real samplers on small models in the
real shapes.
"""

import pytest

from bench import inprocess

inprocess.start()


@pytest.fixture(scope="session")
def pack():
    return inprocess.load_pack()


@pytest.fixture(scope="session")
def nodes(pack):
    """ComfyUI's own table of node classes, ours among them."""
    import nodes

    inprocess.load_core_extras(
        "attention_multiply",
        "cfg",
        "custom_sampler",
        "differential_diffusion",
        "freelunch",
        "fresca",
        "hooks",
        "hypertile",
        "model_advanced",
        "model_downscale",
        "pag",
        "perpneg",
        "sag",
        "tcfg",
        "tomesd",
        "torch_compile",
    )
    return nodes.NODE_CLASS_MAPPINGS


@pytest.fixture(scope="session", params=["sdxl", "sd15"])
def shape(request):
    return request.param


@pytest.fixture(scope="session")
def models():
    """models("sdxl") -> (MODEL, CLIP); each is built once. Tests must not change them: that is what
    is tested.
    """
    from bench.toy_models import toy_clip, toy_model

    made = {}

    def get(shape):
        if shape not in made:
            made[shape] = toy_model(shape), toy_clip(shape)
        return made[shape]

    return get


@pytest.fixture(scope="session")
def studio(pack, nodes, models):
    """studio(shape): the nodes with their defaults, on the small model of that shape."""
    from bench.studio import Studio

    made = {}
    return lambda shape: made.setdefault(shape, Studio(nodes, *models(shape)))


@pytest.fixture(scope="session")
def encoder_studio(nodes):
    """encoder_studio(kind): the nodes on a transformer's small text encoder of that kind, without a
    model; each is built once.
    """
    from bench.studio import Studio
    from bench.toy_encoders import KINDS, toy_encoder

    made = {}

    def get(kind):
        if kind not in KINDS:
            pytest.skip(f"this ComfyUI has no {kind}")
        if kind not in made:
            made[kind] = Studio(nodes, None, toy_encoder(kind))
        return made[kind]

    return get


@pytest.fixture(scope="session")
def vision(tmp_path_factory):
    """vision("clip", **settings): a small CLIP_VISION of that kind, built once."""
    from bench.toy_vision import toy_vision

    made, folder = {}, tmp_path_factory.mktemp("vision")
    return lambda kind, **settings: made.setdefault(
        (kind, *settings.items()), toy_vision(kind, folder, **settings)
    )


@pytest.fixture(scope="session")
def pictures():
    """Five pictures of 32x32 pixels: one picture, each time with other noise."""
    import torch

    torch.manual_seed(4)
    base = torch.rand(1, 32, 32, 3)
    return (base + 0.15 * torch.randn(5, 32, 32, 3)).clamp(0, 1)


@pytest.fixture
def warnings_of(pack, caplog, monkeypatch):
    """Calls the warnings of the pack so far in this test, each as often as it would come in a
    minute of its own.
    """
    import importlib

    monkeypatch.setattr(importlib.import_module(f"{pack.__name__}.log"), "_last_warned", {})
    caplog.set_level("WARNING", logger="one-prompt-one-story")
    return lambda: [
        record.getMessage() for record in caplog.records if record.name == "one-prompt-one-story"
    ]
