"""ComfyUI's own model patches, samplings, guiders and samplers beside IPCA, in both orders.

The independent form is IPCA as a bias on the identity's own keys (`bias_form`), put in IPCA Patch's
place.
"""

import pytest
import torch

from bench.references import bias_form
from bench.studio import relative

ROUNDING = 1e-4
SEES_IT = 50 * ROUNDING


@pytest.fixture
def s(studio, shape):
    return studio(shape)


# What reaches into the UNet's layers, and what changes how its output is read: there it does not
# matter which UNet it is.
IN_THE_LAYERS = {
    "FreeU": {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2},
    "FreeU_V2": {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2},
    "HyperTile": {"tile_size": 32, "swap_size": 2, "max_depth": 1, "scale_depth": False},
    "TomePatchModel": {"ratio": 0.3},
    "UNetCrossAttentionMultiply": {"q": 1.1, "k": 0.9, "v": 1.2, "out": 0.9},
    "PatchModelAddDownscale": {
        "block_number": 2,
        "downscale_factor": 2.0,
        "start_percent": 0.0,
        "end_percent": 0.6,
        "downscale_after_skip": True,
        "downscale_method": "bilinear",
        "upscale_method": "bilinear",
    },
}
ON_THE_OUTPUT = {
    "RescaleCFG": {"multiplier": 0.7},
    "FreSca": {"scale_low": 1.0, "scale_high": 1.25, "freq_cutoff": 4},
    "TCFG": {},
    "CFGZeroStar": {},
    "DifferentialDiffusion": {},
    "ModelSamplingDiscrete": {"sampling": "v_prediction", "zsnr": True},
    "ModelSamplingContinuousEDM": {
        "sampling": "edm_playground_v2.5",
        "sigma_max": 120.0,
        "sigma_min": 0.002,
    },
    "ModelSamplingContinuousV": {"sampling": "v_prediction", "sigma_max": 500.0, "sigma_min": 0.03},
}


def the_same_in_either_order(s, node, inputs):
    def patched(model):
        return s.core(node, model=model, **inputs)

    size = (
        128 if node == "FreeU_V2" else 64
    )  # FreeU V2 divides by the spread over the deepest level, which must not be one pixel
    steps = (
        5 if node.startswith("ModelSampling") else 2
    )  # zero terminal SNR and V prediction in few steps magnify rounding
    positive, latent = s.story_batch(width=size, height=size)

    def sampled(model):
        torch.manual_seed(0)  # HyperTile and ToMe draw from PyTorch's own generator
        return s.sample(model, positive, latent, steps=steps)

    expected = sampled(patched(bias_form(s)))
    assert relative(sampled(patched(s.ipca())), expected) < ROUNDING
    assert relative(sampled(s.ipca(patched(s.model))), expected) < ROUNDING
    assert relative(sampled(patched(s.model)), expected) > SEES_IT


@pytest.mark.parametrize("node", IN_THE_LAYERS)
def test_patches_in_the_layers_in_either_order(s, node):
    the_same_in_either_order(s, node, IN_THE_LAYERS[node])


@pytest.mark.parametrize("node", ON_THE_OUTPUT)
def test_patches_on_the_output_in_either_order(studio, node):
    shape = "sdxl" if node == "ModelSamplingDiscrete" else "small"  # which rounds too far there
    the_same_in_either_order(studio(shape), node, ON_THE_OUTPUT[node])


def test_lcm_and_turbo_without_a_negative(s):
    """CFG 1: ComfyUI leaves the negative out. LCM draws noise at every step, from the seed."""

    def lcm(model):
        return s.core("ModelSamplingDiscrete", model=model, sampling="lcm", zsnr=False)

    for model, sampler in ((lcm, "lcm"), (lambda model: model, "euler_ancestral")):
        ours, expected, plain = (
            s.sample(model(m), cfg=1.0, sampler=sampler, scheduler="sgm_uniform")
            for m in (s.ipca(), bias_form(s), s.model)
        )
        assert relative(ours, expected) < ROUNDING and relative(plain, expected) > SEES_IT


def test_ksampler_advanced_in_two_halves(s):
    """Leftover noise goes from the first half to the second; together they are the whole run."""
    positive, latent = s.story_batch()

    def half(model, latent, first, last, add_noise, leftover):
        return s.core(
            "KSamplerAdvanced",
            model=model,
            add_noise=add_noise,
            noise_seed=7,
            steps=4,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            positive=positive,
            negative=s.negative,
            latent_image=latent,
            start_at_step=first,
            end_at_step=last,
            return_with_leftover_noise=leftover,
        )

    def halves(model):
        return half(
            model, half(model, latent, 0, 2, "enable", "enable"), 2, 10000, "disable", "disable"
        )["samples"]

    assert relative(halves(s.ipca()), s.sample(bias_form(s), steps=4)) < ROUNDING
    assert relative(halves(s.ipca()), s.sample(s.model, steps=4)) > SEES_IT


def test_every_guider(s):
    positive, latent = s.story_batch()
    empty = s.encode("")
    guiders = {
        "BasicGuider": {"conditioning": positive},
        "CFGGuider": {"positive": positive, "negative": s.negative, "cfg": 4.0},
        "DualCFGGuider": {
            "cond1": positive,
            "cond2": empty,
            "negative": s.negative,
            "cfg_conds": 4.0,
            "cfg_cond2_negative": 2.0,
            "style": "nested",
        },
        "PerpNegGuider": {
            "positive": positive,
            "negative": s.negative,
            "empty_conditioning": empty,
            "cfg": 4.0,
            "neg_scale": 1.0,
        },
    }
    for node, inputs in guiders.items():
        ours, expected, plain = (
            s.sample_with(s.core(node, model=model, **inputs), latent)
            for model in (s.ipca(), bias_form(s), s.model)
        )
        assert relative(ours, expected) < ROUNDING, node
        assert relative(plain, expected) > SEES_IT, node


def test_perp_neg_as_a_patch(s):
    def perp_neg(model):
        return s.core("PerpNeg", model=model, empty_conditioning=s.encode(""), neg_scale=1.0)

    expected = s.sample(perp_neg(bias_form(s)))
    assert relative(s.sample(perp_neg(s.ipca())), expected) < ROUNDING
    assert relative(s.sample(s.ipca(perp_neg(s.model))), expected) < ROUNDING


def test_a_lora_on_the_model(s):
    """The memory is projected by the weights as they are at the call, the LoRA's included."""

    def lora(model):
        patched = model.clone()
        keys = [
            key
            for key in patched.model_state_dict()
            if "attn2.to_k.weight" in key or "attn2.to_v.weight" in key
        ]
        assert len(
            patched.add_patches(
                {
                    key: ("diff", (torch.full_like(patched.model_state_dict()[key], 0.05),))
                    for key in keys
                },
                1.0,
            )
        ) == len(keys)
        return patched

    expected = s.sample(lora(bias_form(s)))
    assert relative(s.sample(lora(s.ipca())), expected) < ROUNDING
    assert relative(s.sample(s.ipca(lora(s.model))), expected) < ROUNDING
    assert relative(s.sample(s.ipca()), expected) > SEES_IT


def lora_hook(s, strength):
    """A LoRA on attn2's values as a hook on a conditioning, as Create Hook LoRA makes it from a
    file.
    """
    import comfy.hooks

    weights = {
        key: weight
        for key, weight in s.model.model_state_dict().items()
        if "attn2.to_v.weight" in key
    }
    hook = comfy.hooks.WeightHook(strength_model=strength, strength_clip=0.0)
    hook.weights = {key: ("diff", (weight.flip(0),)) for key, weight in weights.items()}
    hook.need_weight_init = False
    group = comfy.hooks.HookGroup()
    group.add(hook)
    return group


def test_a_hooked_and_scheduled_lora_on_the_model(s):
    """The positive has the LoRA for the first third of the run, the negative has none: weights
    change between UNet calls.
    """
    keyframes = s.core("CreateHookKeyframe", strength_mult=1.0, start_percent=0.0)
    keyframes = s.core(
        "CreateHookKeyframe", strength_mult=0.2, start_percent=0.3, prev_hook_kf=keyframes
    )
    hooks = s.core("SetHookKeyframes", hooks=lora_hook(s, 1.0), hook_kf=keyframes)
    positive, latent = s.story_batch()
    hooked = s.core(
        "ConditioningSetProperties",
        cond_NEW=positive,
        strength=1.0,
        set_cond_area="default",
        hooks=hooks,
    )

    def sampled(model, positive):
        return s.sample(model, positive, latent, steps=4)

    expected = sampled(bias_form(s), hooked)
    assert relative(sampled(s.ipca(), hooked), expected) < ROUNDING
    assert relative(sampled(s.ipca(), positive), expected) > SEES_IT, (
        "the LoRA must make a difference"
    )
    assert relative(sampled(s.model, hooked), expected) > SEES_IT


def test_regions(s):
    """The story in one area or mask, another prompt elsewhere; each region is its own rows of the
    batch.
    """
    other = [
        [
            s.encode("a lighthouse at night")[0][0].expand(3, -1, -1).clone(),
            {"pooled_output": s.frames[0][1]["pooled_output"]},
        ]
    ]
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    for left, right in [
        (
            s.core(
                "ConditioningSetArea",
                conditioning=s.frames,
                width=32,
                height=64,
                x=0,
                y=0,
                strength=1.0,
            ),
            s.core(
                "ConditioningSetArea",
                conditioning=other,
                width=32,
                height=64,
                x=32,
                y=0,
                strength=1.0,
            ),
        ),
        (
            s.core(
                "ConditioningSetMask",
                conditioning=s.frames,
                mask=mask,
                set_cond_area="default",
                strength=1.0,
            ),
            s.core(
                "ConditioningSetMask",
                conditioning=other,
                mask=1 - mask,
                set_cond_area="default",
                strength=1.0,
            ),
        ),
        (
            s.core("ConditioningSetTimestepRange", conditioning=s.frames, start=0.0, end=0.6),
            s.core("ConditioningSetTimestepRange", conditioning=other, start=0.6, end=1.0),
        ),
    ]:
        positives, latents, *_ = s.batch(
            frames=s.core("ConditioningCombine", conditioning_1=left, conditioning_2=right),
            frames_per_batch=0,
        )
        ours, expected, plain = (
            s.sample(model, positives[0], latents[0], steps=4)
            for model in (s.ipca(), bias_form(s), s.model)
        )
        assert relative(ours, expected) < ROUNDING
        assert relative(plain, expected) > SEES_IT


def test_a_prompt_joined_behind_the_story(s):
    """Conditioning (Concat): the identity is still at the beginning of the rows. ComfyUI wants as
    many rows after it.
    """
    style = [[s.encode("oil painting")[0][0].expand(3, -1, -1), {}]]
    joined = s.core("ConditioningConcat", conditioning_to=s.frames, conditioning_from=style)
    positives, latents, *_ = s.batch(frames=joined, frames_per_batch=0)
    ours = s.sample(s.ipca(), positives[0], latents[0])
    assert (
        relative(ours, s.sample(bias_form(s, frames=joined), positives[0], latents[0])) < ROUNDING
    )
    assert relative(ours, s.sample(s.model, positives[0], latents[0])) > SEES_IT


def test_an_inpainting_model(studio):
    """Nine channels: the masked picture and its mask go with the latent, here one mask per
    frame.
    """
    s = studio("sdxl inpaint")
    generator = torch.Generator().manual_seed(4)
    more = {
        "concat_latent_image": torch.randn(3, 4, 8, 8, generator=generator),
        "concat_mask": torch.rand(3, 64, 64, generator=generator).round(),
    }
    frames = [[cond, {**extra, **more}] for cond, extra in s.frames]
    positive, latent = s.story_batch(frames=frames)
    whole = s.sample(s.ipca(), positive, latent)
    assert relative(whole, s.sample(bias_form(s), positive, latent)) < ROUNDING
    assert relative(whole, s.sample(s.model, positive, latent)) > SEES_IT
    positives, latents, *_ = s.batch(frames=frames, select="3")
    assert relative(s.sample(s.ipca(), positives[0], latents[0]), whole[2:]) < ROUNDING
