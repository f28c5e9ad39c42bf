"""Story Batch against stock nodes: what has one row per frame is cut along the frames, everything
else is shared.
"""

import pytest
import torch

from bench import inprocess


@pytest.fixture
def s(studio):
    return studio("sdxl")


@pytest.fixture(scope="module")
def core_latent_nodes(nodes):
    inprocess.load_core_extras("chroma_radiance", "flux", "hunyuan", "sd3")


def test_lists_of_batches(s):
    positives, latents, captions, *_ = s.batch(frames_per_batch=2, width=128, height=64)
    assert [positive[0][0].shape[0] for positive in positives] == [2, 1]
    assert torch.equal(torch.cat([positive[0][0] for positive in positives]), s.frames[0][0])
    assert torch.equal(
        torch.cat([positive[0][1]["pooled_output"] for positive in positives]),
        s.frames[0][1]["pooled_output"],
    )
    assert [latent["samples"].shape for latent in latents] == [(2, 4, 8, 16), (1, 4, 8, 16)]
    assert not any(latent["samples"].any() for latent in latents)
    assert all(latent["downscale_ratio_spacial"] == 8 for latent in latents), (
        "what newer samplers fit an empty latent to their model by"
    )
    assert captions == list(s.story.frames)


def test_noise_by_batch_index(s):
    assert [latent["batch_index"] for latent in s.batch(frames_per_batch=2)[1]] == [[0, 0], [0]]
    assert [
        latent["batch_index"] for latent in s.batch(frames_per_batch=2, noise="per frame")[1]
    ] == [[0, 1], [2]]
    assert [latent["batch_index"] for latent in s.batch(select="3", noise="per frame")[1]] == [[2]]


def test_latents_and_masks_of_their_own(s):
    samples = torch.randn(3, 4, 8, 8)
    mask = torch.rand(3, 64, 64)
    latents = s.batch(
        latent={"samples": samples, "noise_mask": mask, "type": "x", "batch_index": [9, 9, 9]},
        select="2-3",
        frames_per_batch=1,
    )[1]
    assert torch.equal(torch.cat([latent["samples"] for latent in latents]), samples[1:])
    assert torch.equal(torch.cat([latent["noise_mask"] for latent in latents]), mask[1:])
    assert [latent["batch_index"] for latent in latents] == [[0], [0]] and latents[0]["type"] == "x"
    one = s.batch(latent={"samples": samples[:1], "noise_mask": mask[:1]}, frames_per_batch=0)[1][0]
    assert torch.equal(one["samples"], samples[:1].expand(3, -1, -1, -1)) and torch.equal(
        one["noise_mask"], mask[:1]
    )


def test_inputs_are_not_changed(s):
    latent = {"samples": torch.randn(1, 4, 8, 8)}
    before = latent["samples"].clone()
    out = s.batch(latent=latent, frames_per_batch=0)[1][0]
    out["samples"][:] = 0
    assert list(latent) == ["samples"] and torch.equal(latent["samples"], before)


def test_masks_and_controlnet_hints_follow_their_frames(s, nodes):
    import comfy.controlnet

    masks, hints = torch.rand(3, 64, 64), torch.rand(3, 64, 64, 3)
    shared = torch.rand(1, 64, 64, 3)
    frames = nodes["ConditioningSetMask"]().append(s.frames, masks, "default", 1.0)[0]
    for hint in (
        shared,
        hints,
    ):  # two ControlNets in a chain: one picture for all, then one per frame
        control = comfy.controlnet.ControlNet(torch.nn.Module(), load_device="cpu")
        frames = nodes["ControlNetApply"]().apply_controlnet(frames, control, hint, 1.0)[0]
    before = frames[0][1]["control"]
    positives = s.batch(frames=frames, select="2-3", frames_per_batch=1)[0]
    for frame, positive in zip((1, 2), positives):
        extra = positive[0][1]
        assert torch.equal(extra["mask"], masks[frame : frame + 1])
        control = extra["control"]
        assert torch.equal(control.cond_hint_original, hints[frame : frame + 1].movedim(-1, 1))
        assert torch.equal(control.previous_controlnet.cond_hint_original, shared.movedim(-1, 1))
        assert control.control_model is before.control_model, "weights are shared"
    assert before.cond_hint_original.shape[0] == 3


def model_of(family):
    """A MODEL of that family in ComfyUI's own classes, without its network: what says how its
    latents look is there.
    """
    import comfy.supported_models
    from comfy.model_patcher import ModelPatcher

    if not hasattr(comfy.supported_models, family):
        pytest.skip(f"this ComfyUI has no {family}")
    config = getattr(comfy.supported_models, family)(
        {"disable_unet_model_creation": True, "in_channels": 4, "hidden_size": 6144}
    )
    config.set_inference_dtype(torch.float32, None)
    return ModelPatcher(
        config.get_model({}, "", device=torch.device("cpu")),
        torch.device("cpu"),
        torch.device("cpu"),
    )


@pytest.mark.parametrize(
    "family, core_node",
    [
        ("SDXL", "EmptyLatentImage"),
        ("Flux", "EmptySD3LatentImage"),
        ("SD3", "EmptySD3LatentImage"),
        ("ZImage", "EmptySD3LatentImage"),
        ("QwenImage", "EmptySD3LatentImage"),
        ("Flux2", "EmptyFlux2LatentImage"),
        ("Krea2", "EmptySD3LatentImage"),
        ("Ideogram4", "EmptyFlux2LatentImage"),
        ("MageFlow", "EmptyFlux2LatentImage"),
        ("HunyuanImage21", "EmptyHunyuanImageLatent"),
        ("ChromaRadiance", "EmptyChromaRadianceLatentImage"),
    ],
)
def test_latents_of_the_models_own_shape(s, core_latent_nodes, family, core_node):
    """As ComfyUI's own node for that model makes them and its KSampler takes them: it adds the axis
    of time where there is one.
    """
    import comfy.sample

    model = model_of(family)
    theirs = s.core(core_node, width=192, height=128, batch_size=3)["samples"]
    (ours,) = s.batch(model=model, frames_per_batch=0, width=192, height=128)[1]
    assert not ours["samples"].any()
    assert ours["samples"].shape == comfy.sample.fix_empty_latent_channels(model, theirs).shape
    assert (
        ours["samples"].shape
        == comfy.sample.fix_empty_latent_channels(model, ours["samples"]).shape
    )


@pytest.mark.parametrize("family", ["SDXL", "Flux", "QwenImage"])
def test_where_a_latent_pixel_is_eight_pixels_wide_the_model_need_not_be_connected(s, family):
    """The sampler starts from the same noise to the last bit."""
    import comfy.sample

    model = model_of(family)
    latents = [s.batch(**extra, frames_per_batch=0)[1][0] for extra in ({"model": model}, {})]
    samples = [
        comfy.sample.fix_empty_latent_channels(model, latent["samples"]) for latent in latents
    ]
    with_model, without = (
        comfy.sample.prepare_noise(each, 7, latent["batch_index"])
        for each, latent in zip(samples, latents)
    )
    assert torch.equal(with_model, without)


def test_latents_that_do_not_fit_the_model(s):
    flux2, qwen = model_of("Flux2"), model_of("QwenImage")
    for size in ({"width": 1000, "height": 1024}, {"width": 1024, "height": 1000}):
        (name,) = (name for name, value in size.items() if value == 1000)
        with pytest.raises(
            ValueError,
            match=(
                f"^Story Batch - {name}: 1000 is not a multiple of 16 from 16 to 16384. Use 992.$"
            ),
        ):
            s.batch(model=flux2, **size)
        assert s.batch(model=qwen, **size) and s.batch(**size)
    picture = {"samples": torch.randn(1, 4, 8, 8)}
    with pytest.raises(
        ValueError,
        match="^Story Batch - latent: it has 4 channels but the model's latents have 16.",
    ):
        s.batch(model=qwen, latent=picture)
    assert s.batch(latent=picture) and s.batch(
        model=qwen, latent={"samples": torch.zeros(1, 4, 8, 8)}
    )
    with pytest.raises(ValueError, match="^Story Batch - model: its latents are not pictures. "):
        s.batch(model=model_of("Hunyuan3Dv2"))
    with pytest.raises(ValueError, match="^Story Batch - model: expected a MODEL, received str"):
        s.batch(model="flux")
