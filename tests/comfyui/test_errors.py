"""Bad input: one ValueError that names the node and the input and says what to do, before any
sampling.
"""

import math

import pytest
import torch

from bench.studio import defaults_of


@pytest.fixture
def s(studio):
    return studio("sdxl")


def refused(node, name, call, *words):
    with pytest.raises(ValueError) as error:
        call()
    text = str(error.value)
    assert type(error.value) is ValueError and text.startswith(f"{node} - {name}: "), text
    assert text.endswith("."), "the remedy is a sentence"
    for word in words:
        assert word in text, text


def test_story_prompt(s):
    refused("Story Prompt", "identity", lambda: s.prompt("  ", ["a"]))
    refused("Story Prompt", "frames", lambda: s.prompt("a fox", ["", " "]))
    refused("Story Prompt", "window_length", lambda: s.prompt("a fox", ["a"], window_length=0))


@pytest.mark.parametrize("name", ["enhance_alpha", "enhance_beta", "weaken_alpha", "weaken_beta"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.01, 11.0])
def test_svr_numbers(s, name, value):
    refused("SVR Reweight", name, lambda: s.svr(**{name: value}))


@pytest.mark.parametrize(
    "node, name, value, expected",
    [
        (
            "SVRReweight",
            "enhance_alpha",
            -0.01,
            (
                "-0.01 is outside 0 to 1. 0.001 to 0.02 is useful; the published code's -0.01 is"
                " 0.01 here"
            ),
        ),
        ("SVRReweight", "weaken_beta", "1", "expected a number, received str. 0.05 to 1 is useful"),
        ("SVRReweight", "mode", "svd", "'svd' is unknown. Choose one of svr, svr-eot, original"),
        ("IPCAPatch", "dropout", 1.1, "1.1 is outside 0 to 1. 0 is off; 0.01 to 0.1 is useful"),
        ("IPCAPatch", "strength", -1.0, "-1.0 is outside 0 to 1000. 1 is the paper's, 0 is off"),
        ("StoryBatch", "width", 0, "0 is outside 8 to 16384. Choose a number from 8 to 16384"),
        (
            "StoryBatch",
            "parts",
            -1,
            "-1 is outside 0 to 4096. Set it to the number of machines, or to 0 for automatic",
        ),
        ("StoryBatch", "select", 3, "expected a STRING, received int. Connect a text, or type one"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_with_what_to_do(s, node, name, value, expected):
    sockets = {"SVRReweight": ["clip"], "IPCAPatch": ["model", "clip"], "StoryBatch": ["frames"]}[
        node
    ]
    inputs = {**{socket: getattr(s, socket) for socket in sockets}, "story": s.story, name: value}
    with pytest.raises(ValueError) as error:
        s.call(node, **inputs)
    assert str(error.value) == f"{s.nodes[node].GET_SCHEMA().display_name} - {name}: {expected}."


def bad_values(declared):
    """Values that an input's schema does not allow; none where it allows any."""
    if getattr(declared, "options", None) is not None:
        bad = ["none of these", 0.5]
    elif getattr(declared, "min", None) is not None:
        bad = [declared.min - 1, declared.max + 1, math.nan, math.inf, "1"]
    else:
        bad = [] if declared.io_type in ("BOOLEAN", "INT") else [5, {}]
    return bad if declared.optional or not bad else [*bad, None]


CHECKED = [
    "StoryPrompt",
    "SVRReweight",
    "IPCAPatch",
    "StoryBatch",
    "StorySheet",
    "StorySlate",
    "StoryGather",
    "StoryScore",
]


@pytest.mark.parametrize("node_id", CHECKED)
def test_every_input_is_checked_against_its_schema(nodes, node_id):
    """Each separately: it is checked before anything is done, in a list after a good value too."""
    node, schema = nodes[node_id], nodes[node_id].GET_SCHEMA()
    good = defaults_of(node)
    for declared in schema.inputs:
        name = declared.id
        for bad in bad_values(declared):
            given = [good[name], bad] if name in good else [bad]
            value = given if schema.is_input_list else bad
            refused(schema.display_name, name, lambda: node.execute(**{name: value}))  # noqa: B023


def test_a_node_runs_on_the_class_that_comfyui_locks(nodes):
    """ComfyUI clones and locks a node's class for each run, and calls the original's function on
    it.
    """
    from comfy_api.internal import make_locked_method_func

    node = nodes["StoryPrompt"]
    clone = node.PREPARE_CLASS_CLONE(None)
    call = make_locked_method_func(node, node.FUNCTION, clone)
    (story,), (count,) = call(
        identity=["a fox"], frames=["in snow\nat sea"], window_length=[10]
    ).args
    assert count == 2 and story.identity == "a fox"
    refused(
        "Story Prompt",
        "window_length",
        lambda: call(identity=["a fox"], frames=["sea"], window_length=[65]),
    )


def test_svr_choices_and_overflow(s):
    refused("SVR Reweight", "mode", lambda: s.svr(mode="svd"), "svr-eot")
    refused("SVR Reweight", "pooled", lambda: s.svr(pooled="none"), "zero")
    clip = s.clip.clone()
    key, weight = next(
        (key, weight)
        for key, weight in clip.cond_stage_model.state_dict().items()
        if "layers.1.mlp.fc2.weight" in key
    )
    clip.add_patches({key: ("diff", (weight * 1e4,))}, 1.0, 1.0)
    refused(
        "SVR Reweight", "enhance_alpha", lambda: s.svr(clip=clip, enhance_alpha=1.0), "not finite"
    )


@pytest.mark.parametrize(
    "identity, frames, named",
    [
        ("a (fox", ["in snow) far", "sea"], "a (fox"),
        ("a fox", ["(in snow", "at sea)"], "(in snow"),
        ("a fox :)", ["sea", "(red:1.3) sky"], "a fox :)"),
        (
            "a fox",
            ["playing in the snow :)", "foraging (red berries:1.3)"],
            "playing in the snow :)",
        ),
        ("a fox", ["(big) sea", "at (home", "(red:1.3) sky"], "at (home"),
    ],
)
def test_parentheses_that_swallow_the_next_phrase(s, identity, frames, named):
    place = f" (frame {frames.index(named) + 1})" if named in frames else ""
    refused(
        "SVR Reweight",
        "story",
        lambda: s.svr(s.prompt(identity, frames)),
        f"'{named}'{place} are not balanced",
    )


@pytest.mark.parametrize("mode", ["svr", "original"])
def test_a_weight_beyond_all_numbers(s, mode):
    refused(
        "SVR Reweight",
        "story",
        lambda: s.svr(s.prompt("a fox", ["sea", "(snow:1e999)"]), mode=mode),
        "not finite",
        "weight",
    )
    refused(
        "IPCA Patch",
        "story",
        lambda: s.ipca(story=s.prompt("a (fox:1e999)", ["sea"])),
        "not finite",
        "weight",
    )


@pytest.mark.parametrize(
    "frames", [["smile :)", "sea"], ["(in snow:1.2)", r"a \(plain\) one"], ["sea", "sad :("]]
)
def test_parentheses_that_harm_nobody_are_let_be(s, frames):
    assert s.svr(s.prompt("a fox", frames))[0][0].shape[0] == 2


def test_a_phrase_without_tokens(nodes, models, tmp_path):
    from bench.studio import Studio
    from bench.toy_models import toy_clip

    s = Studio(nodes, models("sdxl")[0], toy_clip("sdxl", embedding_directory=str(tmp_path)))
    refused(
        "SVR Reweight",
        "story",
        lambda: s.svr(s.prompt("a fox", ["embedding:there_is_no_such_file"])),
        "no token",
    )
    refused(
        "IPCA Patch",
        "story",
        lambda: s.ipca(story=s.prompt("embedding:there_is_no_such_file", ["sea"])),
        "no token",
    )


def test_a_text_encoder_that_is_no_clip(s, monkeypatch):
    monkeypatch.setattr(
        type(s.clip), "tokenize", lambda self, text, **kwargs: {"t5xxl": [[(1, 1.0, 1)]]}
    )
    refused("SVR Reweight", "clip", s.svr, "t5xxl")
    refused("IPCA Patch", "clip", s.ipca, "t5xxl")


@pytest.mark.parametrize(
    "inputs, name, words",
    [
        ({"start_at_step": 5, "end_at_step": 5}, "start_at_step", ["5"]),
        ({"start_at_step": 9, "end_at_step": 3}, "start_at_step", []),
        ({"start_at_step": -1}, "start_at_step", []),
        ({"dropout": math.nan}, "dropout", []),
        ({"dropout": 1.1}, "dropout", []),
        ({"dropout": -0.1}, "dropout", []),
        ({"strength": math.nan}, "strength", []),
        ({"strength": -1.0}, "strength", []),
        ({"strength": math.inf}, "strength", []),
        ({"blocks": "down0"}, "blocks", ["down0", "down1, down2, mid, up0, up1"]),
        ({"blocks": "middle"}, "blocks", ["middle", "mid"]),
        ({"blocks": " , "}, "blocks", ["down1"]),
        ({"blocks": "all, mid.0"}, "blocks", ["mid.0"]),
    ],
)
def test_ipca_inputs(s, inputs, name, words):
    refused("IPCA Patch", name, lambda: s.ipca(**inputs), *words)


@pytest.mark.parametrize("wrong", [None, "x", 3, [], {}])
def test_what_is_no_such_socket(s, wrong):
    """A script or a broken workflow can put anything there; a checkpoint without a text encoder
    gives None.
    """
    for name, node, call in [
        ("clip", "SVR Reweight", lambda: s.call("SVRReweight", clip=wrong, story=s.story)),
        ("story", "SVR Reweight", lambda: s.call("SVRReweight", clip=s.clip, story=wrong)),
        (
            "model",
            "IPCA Patch",
            lambda: s.call("IPCAPatch", model=wrong, clip=s.clip, story=s.story),
        ),
        (
            "clip",
            "IPCA Patch",
            lambda: s.call("IPCAPatch", model=s.model, clip=wrong, story=s.story),
        ),
        (
            "story",
            "IPCA Patch",
            lambda: s.call("IPCAPatch", model=s.model, clip=s.clip, story=wrong),
        ),
        ("story", "Story Batch", lambda: s.call("StoryBatch", story=wrong, frames=s.frames)),
        ("frames", "Story Batch", lambda: s.call("StoryBatch", story=s.story, frames=wrong)),
    ]:
        kind = {"frames": "CONDITIONING"}.get(name, name.upper())
        received = "nothing" if wrong is None else type(wrong).__name__
        refused(node, name, call, f"expected a {kind}, received {received}. Connect")
    if wrong is not None:
        refused(
            "Story Batch",
            "latent",
            lambda: s.call("StoryBatch", story=s.story, frames=s.frames, latent=wrong),
            "LATENT",
        )


def test_clip_and_model_that_do_not_fit(s, studio, models):
    refused("IPCA Patch", "clip", lambda: studio("sd15").ipca(models("sdxl")[0]), "32", "96")


def test_a_prompt_of_another_clip_is_told_before_the_first_unet_call(s, studio):
    positives, latents, *_ = studio("sd15").batch(frames_per_batch=0)
    refused(
        "IPCA Patch", "clip", lambda: s.sample(s.ipca(), positives[0], latents[0]), "32 wide", "96"
    )


@pytest.mark.parametrize("family", ["auraflow", "svd", "no cross-attention"])
def test_models_that_are_not_known(s, family):
    from bench.toy_models import other_model

    model = other_model(family)
    refused(
        "IPCA Patch",
        "model",
        lambda: s.ipca(model),
        type(model.model).__name__,
        "SDXL, SD1.x or SD2.x",
        "Qwen-Image",
    )


@pytest.mark.parametrize(
    "inputs, name",
    [
        ({"select": "0"}, "select"),
        ({"select": "2-9"}, "select"),
        ({"select": "all"}, "select"),
        ({"part_index": 2, "parts": 2}, "part_index"),
        ({"parts": 4}, "parts"),
        ({"select": "1", "parts": 2}, "parts"),
        ({"parts": -1}, "parts"),
        ({"part_index": 1}, "part_index"),
        ({"width": 100}, "width"),
        ({"height": 0}, "height"),
        ({"frames_per_batch": -1}, "frames_per_batch"),
        ({"noise": "none"}, "noise"),
        ({"latent": {"samples": torch.zeros(2, 4, 8, 8)}}, "latent"),
        ({"negative": [[torch.zeros(2, 77, 96), {}]]}, "negative"),
        ({"negative": "blurry"}, "negative"),
        (
            {"latent": {"samples": torch.zeros(3, 4, 8, 8), "noise_mask": torch.ones(2, 64, 64)}},
            "latent",
        ),
    ],
)
def test_story_batch(s, inputs, name):
    refused("Story Batch", name, lambda: s.batch(**inputs))


def test_conditioning_of_another_story(s):
    other = s.svr(s.prompt("a cat", ["one", "two"]))
    refused("Story Batch", "frames", lambda: s.batch(frames=other), "2 rows", "3 frames")
    refused("Story Batch", "frames", lambda: s.batch(frames=s.negative), "1 rows")


def test_a_frame_over_budget_is_legal_and_said_once(s, caplog):
    with caplog.at_level("WARNING", logger="one-prompt-one-story"):
        s.svr(s.prompt(s.identity, ["sea", "in a meadow " * 30, "snow"]))
    said = [
        record.getMessage() for record in caplog.records if record.name == "one-prompt-one-story"
    ]
    assert len(said) == 1 and "75" in said[0] and said[0].endswith("frame 2")
