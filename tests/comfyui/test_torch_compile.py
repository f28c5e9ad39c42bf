"""TorchCompileModel beside IPCA, run after run: compiled code must never be that of another run's
settings.

Newer cores drop every guard on transformer_options, in which IPCA travels, so code that was
compiled once is used again whatever is in them. That is done here on every core, by the same
filter.
"""

import os

import pytest
import torch

from bench.joint_scene import IDENTITY, Scene
from bench.references import bias_form
from bench.studio import relative

ROUNDING = 1e-5
THOROUGH = "FUZZ" in os.environ  # make fuzz: minutes of compiling
BACKENDS = ["eager", *(["inductor"] if THOROUGH else [])]


def without_guards_on_options(guards):
    return ["transformer_options" not in guard.name for guard in guards]


def compiled(model, filtered, backend):
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    clone = model.clone()
    options = {"guard_filter_fn": without_guards_on_options} if filtered else None
    set_torch_compile_wrapper(
        clone, backend=Eager() if backend == "eager" else backend, options=options
    )
    return clone


class Eager:
    """Traces as every back end does, and runs what was traced as it is. All are equal: their code
    is shared, as inductor's is.
    """

    def __call__(self, graph, inputs, **options):
        return graph.forward

    def __eq__(self, other):
        return isinstance(other, Eager)

    def __hash__(self):
        return hash(Eager)


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


# What a person does one run after the other: None is without IPCA Patch. Every change has to be
# traced, which takes seconds.
FEW = [None, {}, {"strength": 3.0, "start_at_step": 1}, None]
RUNS = (
    [
        None,
        {},
        {"strength": 3.0},
        {"start_at_step": 1},
        {"blocks": "coarse"},
        None,
        {"dropout": 0.3},
        {},
    ]
    if THOROUGH
    else FEW
)
FILTERED = pytest.mark.parametrize(
    "filtered",
    [True, False] if THOROUGH else [True],
    ids=lambda on: "no guards on options" if on else "all",
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("filtered", [True, False], ids=["no guards on options", "all guards"])
def test_run_after_run_on_a_unet(studio, filtered, backend):
    s = studio("small" if THOROUGH else "one level")  # each layer is traced and compiled
    positive, latent = s.story_batch(width=64, height=64, select="1-2")
    story = s.prompt("A photo of a dog", ["at sea", "in the snow"])
    other, _ = s.story_batch(story=story, frames=s.svr(story))

    def sample(model, positive=positive):
        return s.sample(model, positive, latent, negative=s.negative)

    for settings in [*RUNS, {"blocks": "coarse"}] if filtered else [{}]:
        plain = s.model if settings is None else s.ipca(**settings)
        assert relative(sample(compiled(plain, filtered, backend)), sample(plain)) < ROUNDING, (
            settings
        )
    if not (filtered or THOROUGH):
        return
    first = s.ipca(compiled(s.model, filtered, backend))
    assert relative(sample(first), sample(bias_form(s))) < 10 * ROUNDING, (
        "IPCA after the compile node"
    )
    second = s.ipca(story=story)
    assert (
        relative(sample(compiled(second, filtered, backend), other), sample(second, other))
        < ROUNDING
    ), "another story"


@pytest.mark.parametrize("backend", BACKENDS)
@FILTERED
@pytest.mark.parametrize("family", ["flux", "qwen-image", "lumina2"] if THOROUGH else ["flux"])
def test_run_after_run_on_a_transformer(family, filtered, backend, pack, nodes):
    fewer = {"depth": 1, "depth_single_blocks": 1} if family == "flux" and not THOROUGH else {}
    scene = Scene(family, pack, nodes, **fewer)
    longer = [list(scene.text(99, length=20))]
    for settings in RUNS:
        plain = scene.model if settings is None else scene.ipca(**settings)
        assert (
            relative(scene.sample(compiled(plain, filtered, backend)), scene.sample(plain))
            < ROUNDING
        ), settings
    ours = scene.ipca()
    with_longer = scene.sample(compiled(ours, filtered, backend), negative=longer)
    assert relative(with_longer, scene.sample(ours, negative=longer)) < ROUNDING, (
        "a negative of another length"
    )
    scaled = scene.frames([IDENTITY], factors=[{7: 0.05, 8: 1.5}])
    assert (
        relative(
            scene.sample(compiled(ours, filtered, backend), scaled), scene.sample(ours, scaled)
        )
        < ROUNDING
    ), "factors"
    if not THOROUGH:
        return
    first = scene.ipca(compiled(scene.model, filtered, backend))
    assert relative(scene.sample(first), scene.sample(scene.biased())) < ROUNDING, (
        "IPCA after the compile node"
    )
