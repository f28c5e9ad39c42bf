"""ControlNet and GLIGEN, with random weights in ComfyUI's own classes: one picture per frame stays
with its frame.
"""

import comfy.cldm.cldm
import comfy.controlnet
import comfy.gligen
import pytest
import torch

from bench.references import bias_form
from bench.studio import relative
from bench.toy_models import randomize

ROUNDING = 5e-5
SEES_IT = 100 * ROUNDING


@pytest.fixture(scope="module")
def s(studio):
    return studio("sdxl")


@pytest.fixture(scope="module")
def control(s):
    config = {**s.model.model.model_config.unet_config, "hint_channels": 3}
    for only_in_a_unet in ("out_channels", "transformer_depth_output"):
        config.pop(only_in_a_unet, None)
    model = comfy.cldm.cldm.ControlNet(**config)
    randomize(model, seed=5)
    return comfy.controlnet.ControlNet(model, load_device=torch.device("cpu"))


@pytest.fixture(scope="module")
def poses():
    return torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(6))


def controlled(s, control, poses, positive, negative, start=0.0, end=1.0, strength=0.8):
    """Apply ControlNet as ComfyUI has it today: the same pictures on both sides."""
    return s.nodes["ControlNetApplyAdvanced"]().apply_controlnet(
        positive, negative, control, poses, strength, start, end
    )


def frame_of(conditioning, frame):
    cond, extra = conditioning[0]
    return [[cond[frame : frame + 1], {"pooled_output": extra["pooled_output"][frame : frame + 1]}]]


@pytest.fixture(scope="module")
def posed(s, control, poses):
    return controlled(s, control, poses, s.frames, s.negative)


def test_one_pose_a_frame_beside_ipca(s, posed):
    positives, latents, _, negatives, _ = s.batch(
        frames=posed[0], negative=posed[1], frames_per_batch=0
    )
    ours = s.sample(s.ipca(), positives[0], latents[0], negatives[0])
    assert relative(ours, s.sample(bias_form(s), positives[0], latents[0], negatives[0])) < ROUNDING
    assert relative(ours, s.sample(s.ipca())) > SEES_IT, "the poses must show"


@pytest.fixture(scope="module", params=["one ControlNet", "chained", "from 20 to 70 %"])
def single_runs(request, s, control, poses):
    """Conditionings with one pose per frame, and every frame's picture by a plain run with only its
    own pose.
    """

    def apply(positive, negative, hints):
        if request.param == "from 20 to 70 %":
            return controlled(s, control, hints, positive, negative, start=0.2, end=0.7)
        if request.param == "chained":  # before it one picture for all
            positive, negative = controlled(
                s, control, poses[:1].flip(1), positive, negative, strength=0.5
            )
        return controlled(s, control, hints, positive, negative)

    one = {**s.story_batch()[1], "samples": torch.zeros(1, 4, 8, 8), "batch_index": [0]}
    pictures = []
    for frame in range(3):
        positive, negative = apply(frame_of(s.frames, frame), s.negative, poses[frame : frame + 1])
        pictures.append(s.sample(s.model, positive, one, negative, steps=5))
    return *apply(s.frames, s.negative, poses), torch.cat(pictures)


@pytest.mark.parametrize(
    "inputs, frames",
    [
        ({"frames_per_batch": 0}, [0, 1, 2]),
        ({"frames_per_batch": 2}, [0, 1, 2]),
        ({"select": "1,3"}, [0, 2]),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_one_pose_a_frame_is_every_frame_alone(s, single_runs, inputs, frames, apart, monkeypatch):
    positive, negative, expected = single_runs
    if apart:  # as ComfyUI does where memory is short
        monkeypatch.setattr(
            type(s.model.model), "memory_required", lambda *args, **kwargs: float("inf")
        )
    positives, latents, _, negatives, _ = s.batch(frames=positive, negative=negative, **inputs)
    for batch in zip(positives, latents, negatives):
        assert batch[0][0][1]["control"] is batch[2][0][1]["control"], (
            "or cond and uncond would share no UNet call"
        )
    ours = torch.cat(
        [
            s.sample(s.model, positive, latent, negative, steps=5)
            for positive, latent, negative in zip(positives, latents, negatives)
        ]
    )
    assert relative(ours, expected[frames]) < ROUNDING
    assert relative(ours, s.sample(s.model, steps=5)[frames]) > SEES_IT, "the poses must show"


def test_cond_and_uncond_share_a_unet_call(s, posed):
    """Two ControlNets of the same weights would be kept apart, at twice the cost."""
    positives, latents, _, negatives, _ = s.batch(
        frames=posed[0], negative=posed[1], frames_per_batch=0
    )
    calls = []
    counted = s.model.clone()
    counted.set_model_unet_function_wrapper(
        lambda apply, args: (
            calls.append(args["cond_or_uncond"])
            or apply(args["input"], args["timestep"], **args["c"])
        )
    )
    s.sample(counted, positives[0], latents[0], negatives[0], steps=2)
    assert len(calls) == 2 and all(sorted(call) == [0, 1] for call in calls)


def test_masks_of_a_controlnet_follow_their_frames(s, control, poses):
    """What union models take beside the hint: ControlNetInpaintingAliMamaApply puts one mask a
    frame there.
    """
    masked = control.copy().set_cond_hint(
        poses.movedim(-1, 1), 1.0, (0.0, 1.0), extra_concat=[torch.rand(3, 1, 64, 64)]
    )
    frames = [[cond, {**extra, "control": masked}] for cond, extra in s.frames]
    (positive,) = s.batch(frames=frames, select="2")[0]
    assert torch.equal(
        positive[0][1]["control"].extra_concat_orig[0], masked.extra_concat_orig[0][1:2]
    )
    assert masked.extra_concat_orig[0].shape[0] == 3


def test_a_negative_of_one_row_is_for_all_frames_and_one_of_n_rows_is_cut(s):
    each = s.encode_each(["dark", "bright", "grey"])
    assert all(
        torch.equal(negative[0][0], s.negative[0][0])
        for negative in s.batch(negative=s.negative, frames_per_batch=2)[3]
    )
    first, last = s.batch(negative=each, frames_per_batch=2)[3]
    assert torch.equal(first[0][0], each[0][0][:2]) and torch.equal(last[0][0], each[0][0][2:])
    assert torch.equal(last[0][1]["pooled_output"], each[0][1]["pooled_output"][2:])


def test_gligen(studio):
    """Boxes of text enter each transformer between its two attentions; ours is the second."""
    s = studio("sd15")
    transformers = [
        module for module in s.model.model.diffusion_model.modules() if hasattr(module, "attn2")
    ]
    width = s.frames[0][0].shape[-1]
    fusers = [
        comfy.gligen.GatedSelfAttentionDense(
            block.attn2.to_q.in_features, width, block.n_heads, block.d_head
        )
        for block in transformers
    ]
    model = comfy.gligen.Gligen(fusers, comfy.gligen.PositionNet(width, width), width)
    randomize(model, seed=8)
    for fuser in fusers:
        fuser.alpha_attn.data, fuser.alpha_dense.data = torch.tensor(0.5), torch.tensor(0.5)
    gligen = comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))
    frames = s.core(
        "GLIGENTextBoxApply",
        conditioning_to=s.frames,
        clip=s.clip,
        gligen_textbox_model=gligen,
        text="a lantern",
        width=32,
        height=32,
        x=0,
        y=16,
    )
    positive, latent = s.story_batch(frames=frames)
    ours = s.sample(s.ipca(), positive, latent)
    assert relative(ours, s.sample(bias_form(s), positive, latent)) < ROUNDING
    assert relative(ours, s.sample(s.ipca())) > SEES_IT, "the box must show"
    positives, latents, *_ = s.batch(frames=frames, select="2")
    assert relative(s.sample(s.ipca(), positives[0], latents[0]), ours[1:2]) < ROUNDING
