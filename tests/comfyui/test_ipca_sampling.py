"""IPCA through real samplers, against ways of computing the same that share no code with it."""

import comfy.ldm.modules.attention
import comfy.sample
import comfy.samplers
import pytest
import torch

from bench.references import KeysAndValues, bias_form
from bench.studio import relative, with_override

ROUNDING = (
    5e-5  # float32, several UNet calls deep; seen: 1e-5, where IPCA itself moves the result by 0.3
)


@pytest.fixture
def s(studio, shape):
    return studio(shape)


@pytest.mark.parametrize("strength", [1.0, 0.35, 4.0])
def test_memory_equals_a_bias_on_the_identitys_own_keys(s, strength):
    plain = s.sample(s.model)
    ours = s.sample(s.ipca(strength=strength))
    assert relative(ours, s.sample(bias_form(s, strength=strength))) < ROUNDING
    assert relative(ours, plain) > 100 * ROUNDING, (
        "it must make a difference, or the comparison says nothing"
    )


def test_without_protection_all_of_the_identity_prompt_is_remembered(s):
    reference = KeysAndValues(s.model, s.encode(s.identity)[0][0]).model
    ours = s.sample(s.ipca(protect_identity=False))
    assert relative(ours, s.sample(reference)) < ROUNDING
    assert relative(ours, s.sample(s.ipca())) > 100 * ROUNDING


@pytest.mark.parametrize("sampler, cfg", [("euler", 1.0), ("heun", 4.0), ("dpmpp_2m", 7.0)])
def test_any_cfg_and_sampler(s, sampler, cfg):
    assert (
        relative(
            s.sample(s.ipca(), sampler=sampler, cfg=cfg),
            s.sample(bias_form(s), sampler=sampler, cfg=cfg),
        )
        < ROUNDING
    )


@pytest.mark.parametrize("negative", ["word " * 100, "word " * 200])
def test_a_longer_negative_changes_nothing(s, negative):
    """ComfyUI then repeats the positive's tokens."""
    negative = s.encode(negative)
    ours = s.sample(s.ipca(), negative=negative)
    assert relative(ours, s.sample(bias_form(s), negative=negative)) < ROUNDING
    assert relative(ours, s.sample(s.model, negative=negative)) > 100 * ROUNDING


def test_a_longer_positive_leaves_the_repeated_negative_alone(s):
    """Frames of two chunks: the negative is repeated, the positives are not."""
    story = s.prompt(s.identity, ["in a meadow " * 30, "in the snow " * 30])
    frames = s.svr(story)
    assert frames[0][0].shape[1] == 154
    positives, latents, *_ = s.batch(story, frames)
    reference = bias_form(s, frames=frames)
    assert (
        relative(
            s.sample(s.ipca(story=story), positives[0], latents[0]),
            s.sample(reference, positives[0], latents[0]),
        )
        < ROUNDING
    )


def test_cond_and_uncond_in_separate_calls(s, monkeypatch):
    together = s.sample(s.ipca())
    calls = []
    monkeypatch.setattr(
        type(s.model.model), "memory_required", lambda *args, **kwargs: float("inf")
    )
    patched = s.ipca()

    def spy(apply, args):
        calls.append(args["cond_or_uncond"])
        return apply(args["input"], args["timestep"], **args["c"])

    patched.set_model_unet_function_wrapper(spy)
    apart = s.sample(patched)
    assert all(len(chunks) == 1 for chunks in calls)
    assert relative(apart, together) < ROUNDING


@pytest.mark.parametrize("first, end", [(0, 2), (1, 3), (2, 10000)])
def test_step_range(s, first, end):
    steps = 4
    sigmas = comfy.samplers.calculate_sigmas(
        s.model.get_model_object("model_sampling"), "normal", steps
    ).tolist()[:-1]
    on = sigmas[first:end]
    ours = s.sample(s.ipca(start_at_step=first, end_at_step=end), steps=steps)
    reference = bias_form(
        s, active=lambda sigma: any(abs(sigma - step) < 1e-3 * step for step in on)
    )
    assert relative(ours, s.sample(reference, steps=steps)) < ROUNDING
    assert relative(ours, s.sample(s.ipca(), steps=steps)) > ROUNDING


def test_what_is_off_is_bit_identical(s):
    plain = s.sample(s.model)
    assert s.ipca(strength=0.0) is s.model
    assert torch.equal(s.sample(s.ipca(start_at_step=3)), plain), "no step of the run is reached"
    other_story = s.sample(s.ipca(blocks="mid", start_at_step=1, end_at_step=2))
    assert not torch.equal(other_story, plain)


def test_chosen_blocks(studio):
    s = studio("sdxl")
    deep = s.sample(s.ipca(blocks="down2, mid"))
    for_up = {("output", 3), ("output", 4), ("output", 5)}
    reference = bias_form(s, chosen=lambda site: site[0] == "middle" or site[:2] in for_up)
    assert relative(s.sample(s.ipca(blocks="Mid; up1")), s.sample(reference)) < ROUNDING
    reference = bias_form(
        s, chosen=lambda site: site[0] == "middle" or site[:2] in {("input", 7), ("input", 8)}
    )
    assert relative(deep, s.sample(reference)) < ROUNDING


def test_sd1_blocks(studio):
    s = studio("sd15")
    reference = bias_form(
        s,
        chosen=lambda site: (
            site[:2] in {("input", 4), ("input", 5), ("output", 3), ("output", 4), ("output", 5)}
        ),
    )
    assert relative(s.sample(s.ipca(blocks="down1, up1")), s.sample(reference)) < ROUNDING


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_frame_does_not_depend_on_its_batch(s, dropout):
    model = s.ipca(dropout=dropout, dropout_seed=5)
    positive, latent = s.story_batch()
    whole = s.sample(model, positive, latent)
    for inputs, frames in [
        ({"frames_per_batch": 1}, [0, 1, 2]),
        ({"frames_per_batch": 2}, [0, 1, 2]),
        ({"select": "2-3"}, [1, 2]),
        ({"part_index": 1, "parts": 2}, [1, 2]),
        ({"noise": "shared", "select": "3"}, [2]),
    ]:
        positives, latents, captions, *_ = s.batch(**inputs)
        pictures = torch.cat(
            [s.sample(model, positive, latent) for positive, latent in zip(positives, latents)]
        )
        assert captions == [s.story.frames[frame] for frame in frames]
        assert relative(pictures, whole[frames]) < ROUNDING


def test_per_frame_noise_follows_the_frame_into_every_slice(s):
    positive, latent = s.story_batch(noise="per frame")
    whole = s.sample(s.model, positive, latent)
    positives, latents, *_ = s.batch(noise="per frame", select="3")
    assert relative(s.sample(s.model, positives[0], latents[0]), whole[2:]) < ROUNDING
    shared = s.sample(s.model, *s.story_batch())
    assert relative(shared[:1], whole[:1]) < ROUNDING and relative(shared[1:], whole[1:]) > 0.1


def test_dropout_is_reproducible_and_between_on_and_off(s):
    plain, full = s.sample(s.model), s.sample(s.ipca())
    once, again = (s.sample(s.ipca(dropout=0.3, dropout_seed=1)) for _ in range(2))
    assert torch.equal(once, again)
    assert relative(once, s.sample(s.ipca(dropout=0.3, dropout_seed=2))) > ROUNDING
    assert relative(once, full) > ROUNDING
    assert relative(s.sample(s.ipca(dropout=1.0)), plain) < ROUNDING, (
        "all of the memory dropped is no memory"
    )


def test_dual_cfg_numbers_the_negative_zero(s):
    """DualCFGGuider passes [negative, middle, positive]: index 0 is not the positive there."""
    positive, latent = s.story_batch()
    middle = [[s.encode("a dog in the rain")[0][0], dict(s.negative[0][1])]]

    def guided(model):
        return s.core(
            "DualCFGGuider",
            model=model,
            cond1=positive,
            cond2=middle,
            negative=s.negative,
            cfg_conds=4.0,
            cfg_cond2_negative=3.0,
            style="regular",
        )

    ours = s.sample_with(guided(s.ipca()), latent)
    assert relative(ours, s.sample_with(guided(bias_form(s)), latent)) < ROUNDING
    assert relative(ours, s.sample_with(guided(s.model), latent)) > 100 * ROUNDING


def test_with_pag_on_top(s):
    def pag(model):
        return s.core("PerturbedAttentionGuidance", model=model, scale=3.0)

    assert relative(s.sample(pag(s.ipca())), s.sample(pag(bias_form(s)))) < ROUNDING
    assert relative(s.sample(s.ipca(pag(s.model))), s.sample(pag(bias_form(s)))) < ROUNDING


def test_with_sag_on_top(s):
    """Self-attention guidance runs only the negative, numbered 0."""

    def sag(model):
        return s.core("SelfAttentionGuidance", model=model, scale=0.5, blur_sigma=2.0)

    positive, latent = s.story_batch(width=128, height=128)
    ours = s.sample(sag(s.ipca()), positive, latent)
    assert relative(ours, s.sample(sag(bias_form(s)), positive, latent)) < ROUNDING
    assert relative(ours, s.sample(sag(s.model), positive, latent)) > 100 * ROUNDING


def test_a_positive_that_did_not_come_from_the_story_gets_the_memory_too(s):
    latent = s.story_batch()[1]
    foreign = s.encode("a cat asleep on a sofa")
    memory = s.encode(s.identity)[0][0][:, : s.identity_tokens()]
    reference = KeysAndValues(s.model, memory).model
    ours = s.sample(s.ipca(), foreign, latent)
    assert relative(ours, s.sample(reference, foreign, latent)) < ROUNDING
    assert relative(ours, s.sample(s.model, foreign, latent)) > 100 * ROUNDING


def test_only_the_storys_part_of_a_combined_positive_carries_the_identity(s):
    positive, latent = s.story_batch()
    combined = positive + [[s.encode("a cat asleep on a sofa")[0][0], dict(positive[0][1])]]
    reference = bias_form(s)
    assert (
        relative(s.sample(s.ipca(), combined, latent), s.sample(reference, combined, latent))
        < ROUNDING
    )


@pytest.mark.parametrize(
    "backend", ["attention_basic", "attention_split", "attention_sub_quad", "attention_pytorch"]
)
@pytest.mark.parametrize("more", [{}, {"strength": 0.5}, {"dropout": 0.3}])
def test_every_attention_back_end_agrees(studio, monkeypatch, backend, more):
    s = studio("small")
    expected = s.sample(s.ipca(**more), steps=2)
    monkeypatch.setattr(
        comfy.ldm.modules.attention,
        "optimized_attention",
        getattr(comfy.ldm.modules.attention, backend),
    )
    assert relative(s.sample(s.ipca(**more), steps=2), expected) < ROUNDING


def test_attention_overrides_see_our_calls(s):
    keys = []

    def override(func, *args, **kwargs):
        keys.append(args[1].shape[1])
        return func(*args, **kwargs)

    model = with_override(s.ipca(), override)
    assert relative(s.sample(model), s.sample(s.ipca())) < ROUNDING
    assert 77 + s.identity_tokens() in keys


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(studio, dtype):
    from bench.toy_models import toy_model

    s = studio("sdxl")
    half = toy_model("sdxl", dtype=dtype)
    positive, latent = s.story_batch()
    step = {"steps": 1, "last_step": 1}
    ours, plain, exact = (
        s.sample(model, positive, latent, **step) for model in (s.ipca(half), half, s.ipca())
    )
    assert torch.isfinite(ours).all()
    assert (ours - exact).norm() < 3 * (
        plain - s.sample(s.model, positive, latent, **step)
    ).norm(), "no worse than the model itself in this dtype"
    assert not torch.equal(ours, plain)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 160)])
def test_any_aspect(studio, size):
    s = studio("sdxl")
    positive, latent = s.story_batch(width=size[0], height=size[1])
    assert (
        relative(s.sample(s.ipca(), positive, latent), s.sample(bias_form(s), positive, latent))
        < ROUNDING
    )


def test_image_to_image_and_two_stage_sampling(studio):
    s = studio("sdxl")
    positive, latent = s.story_batch(
        latent={"samples": torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(3))}
    )
    for more in [{"denoise": 0.6}, {"start_step": 1, "last_step": 3}]:
        assert (
            relative(
                s.sample(s.ipca(), positive, latent, steps=4, **more),
                s.sample(bias_form(s), positive, latent, steps=4, **more),
            )
            < ROUNDING
        )


@pytest.mark.parametrize("noise", ["shared", "per frame"])
def test_a_retake_changes_its_frame_and_no_other(studio, noise):
    """Take 2 is what ComfyUI's own noise of that number gives; the other frames stay, in every
    batch and share.
    """
    s = studio("sdxl")
    model = s.ipca()
    first = s.sample(model, *s.story_batch(noise=noise))
    positive, latent = s.story_batch(noise=noise, retake="2")
    second = s.sample(model, positive, latent)
    assert torch.equal(second[[0, 2]], first[[0, 2]])
    assert relative(second[1:2], first[1:2]) > 0.1
    drawn = comfy.sample.prepare_noise(torch.zeros(200, 4, 8, 8), 7)  # the seed's noises, in a row
    number = latent["batch_index"][1]
    ours = comfy.sample.prepare_noise(latent["samples"], 7, latent["batch_index"])
    assert torch.equal(ours[1], drawn[number]) and number not in (
        latent["batch_index"][0],
        latent["batch_index"][2],
    )
    for inputs, frames in [
        ({"frames_per_batch": 1}, [0, 1, 2]),
        ({"select": "2"}, [1]),
        ({"part_index": 1, "parts": 2}, [1, 2]),
    ]:
        positives, latents = s.batch(noise=noise, retake="2:2", **inputs)[:2]
        pictures = torch.cat(
            [s.sample(model, positive, latent) for positive, latent in zip(positives, latents)]
        )
        assert relative(pictures, second[frames]) < ROUNDING
    assert torch.equal(s.sample(model, *s.story_batch(noise=noise, retake="2:1")), first)
    assert (
        relative(s.sample(model, *s.story_batch(noise=noise, retake="2:3"))[1:2], second[1:2]) > 0.1
    )
