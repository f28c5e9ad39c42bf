"""Story Batch against stock nodes: what has one row a frame is cut along the frames, all else is shared."""

import pytest
import torch


@pytest.fixture
def s(studio):
    return studio("sdxl")


def test_lists_of_batches(s):
    positives, latents, captions, *_ = s.batch(frames_per_batch=2, width=128, height=64)
    assert [positive[0][0].shape[0] for positive in positives] == [2, 1]
    assert torch.equal(torch.cat([positive[0][0] for positive in positives]), s.frames[0][0])
    assert torch.equal(torch.cat([positive[0][1]["pooled_output"] for positive in positives]), s.frames[0][1]["pooled_output"])
    assert [latent["samples"].shape for latent in latents] == [(2, 4, 8, 16), (1, 4, 8, 16)]
    assert not any(latent["samples"].any() for latent in latents)
    assert captions == list(s.story.frames)


def test_noise_by_batch_index(s):
    assert [latent["batch_index"] for latent in s.batch(frames_per_batch=2)[1]] == [[0, 0], [0]]
    assert [latent["batch_index"] for latent in s.batch(frames_per_batch=2, noise="per frame")[1]] == [[0, 1], [2]]
    assert [latent["batch_index"] for latent in s.batch(select="3", noise="per frame")[1]] == [[2]]


def test_latents_and_masks_of_their_own(s):
    samples = torch.randn(3, 4, 8, 8)
    mask = torch.rand(3, 64, 64)
    latents = s.batch(
        latent={"samples": samples, "noise_mask": mask, "type": "x", "batch_index": [9, 9, 9]}, select="2-3", frames_per_batch=1
    )[1]
    assert torch.equal(torch.cat([latent["samples"] for latent in latents]), samples[1:])
    assert torch.equal(torch.cat([latent["noise_mask"] for latent in latents]), mask[1:])
    assert [latent["batch_index"] for latent in latents] == [[0], [0]] and latents[0]["type"] == "x"
    one = s.batch(latent={"samples": samples[:1], "noise_mask": mask[:1]}, frames_per_batch=0)[1][0]
    assert torch.equal(one["samples"], samples[:1].expand(3, -1, -1, -1)) and torch.equal(one["noise_mask"], mask[:1])


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
    for hint in (shared, hints):  # two ControlNets in a chain: one picture for all, then one a frame
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
