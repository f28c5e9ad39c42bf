"""ControlNet and GLIGEN, with random weights in ComfyUI's own classes: one picture a frame stays with its frame."""

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


@pytest.fixture(scope="module")
def posed(s, control, poses):
    return s.core("ControlNetApply", conditioning=s.frames, control_net=control, image=poses, strength=0.8)


def test_one_pose_a_frame(s, posed):
    positive, latent = s.story_batch(frames=posed)
    ours = s.sample(s.ipca(), positive, latent)
    assert relative(ours, s.sample(bias_form(s), positive, latent)) < ROUNDING
    assert relative(ours, s.sample(s.ipca())) > SEES_IT, "the poses must show"


def test_every_frame_is_the_plain_run_with_its_own_pose(s, control, poses, posed):
    positive, latent = s.story_batch(frames=posed)
    whole = s.sample(s.model, positive, latent)
    one = {**latent, "samples": latent["samples"][:1], "batch_index": [0]}
    for frame in range(3):
        cond, extra = s.frames[0]
        alone = [[cond[frame : frame + 1], {"pooled_output": extra["pooled_output"][frame : frame + 1]}]]
        alone = s.core("ControlNetApply", conditioning=alone, control_net=control, image=poses[frame : frame + 1], strength=0.8)
        assert relative(s.sample(s.model, alone, one), whole[frame : frame + 1]) < ROUNDING
        positives, latents, _ = s.batch(frames=posed, select=str(frame + 1))
        assert relative(s.sample(s.model, positives[0], latents[0]), whole[frame : frame + 1]) < ROUNDING


def test_one_pose_for_all_on_positive_and_negative(s, control, poses):
    """The advanced apply node: what one picture controls on both sides does not depend on the batch."""
    node = s.nodes["ControlNetApplyAdvanced"]()
    frames, negative = node.apply_controlnet(s.frames, s.negative, control, poses[:1], 0.8, 0.0, 1.0)
    positive, latent = s.story_batch(frames=frames)
    whole = s.sample(s.ipca(), positive, latent, negative)
    assert relative(whole, s.sample(bias_form(s), positive, latent, negative)) < ROUNDING
    positives, latents, _ = s.batch(frames=frames, frames_per_batch=2)
    parts = torch.cat([s.sample(s.ipca(), positive, latent, negative) for positive, latent in zip(positives, latents)])
    assert relative(parts, whole) < ROUNDING


def test_gligen(studio):
    """Boxes of text enter each transformer between its two attentions; ours is the second."""
    s = studio("sd15")
    transformers = [module for module in s.model.model.diffusion_model.modules() if hasattr(module, "attn2")]
    width = s.frames[0][0].shape[-1]
    fusers = [
        comfy.gligen.GatedSelfAttentionDense(block.attn2.to_q.in_features, width, block.n_heads, block.d_head) for block in transformers
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
    positives, latents, _ = s.batch(frames=frames, select="2")
    assert relative(s.sample(s.ipca(), positives[0], latents[0]), ours[1:2]) < ROUNDING
