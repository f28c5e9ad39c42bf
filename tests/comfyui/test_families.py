"""The UNets that the pack is for, and the models that it refuses, each in ComfyUI's own class."""

import importlib

import comfy.sd
import pytest
import torch

from bench.references import bias_form
from bench.studio import relative

ROUNDING = 5e-5


@pytest.mark.parametrize(
    "shape, expected",
    [
        ("refiner", {"down1": 2, "down2": 2, "mid": 1, "up1": 3, "up2": 3}),
        ("ssd1b", {"down1": 2, "down2": 2, "up0": 3, "up1": 3}),
        ("vega", {"down1": 2, "down2": 2, "up0": 3, "up1": 3}),
        ("koala", {"down1": 1, "down2": 1, "up0": 2, "up1": 2}),
        ("sd2", {"down0": 2, "down1": 2, "down2": 2, "mid": 1, "up1": 3, "up2": 3, "up3": 3}),
    ],
)
def test_block_names_and_ipca(pack, studio, shape, expected):
    """Names as in each model's diffusers configuration, with how many blocks of attention it has there."""
    s = studio(shape)
    blocks = importlib.import_module(f"{pack.__name__}.ipca.blocks")
    found = blocks.attention_sites(s.model.model.diffusion_model)
    assert {name: len({site[:2] for site in sites}) for name, sites in found.items()} == expected
    ours, plain = s.sample(s.ipca()), s.sample(s.model)
    assert relative(ours, s.sample(bias_form(s))) < ROUNDING
    assert relative(ours, plain) > 100 * ROUNDING
    deepest = s.sample(s.ipca(blocks="coarse"))
    assert relative(deepest, plain) > ROUNDING and relative(deepest, ours) > ROUNDING


def clip_with(name):
    """A CLIP of ComfyUI's with that tokenizer and no encoder."""
    module, _, tokenizer = name.rpartition(".")
    clip = comfy.sd.CLIP(no_init=True)
    clip.tokenizer = getattr(importlib.import_module(f"comfy.text_encoders.{module}"), tokenizer)()
    clip.cond_stage_model = torch.nn.Module()
    clip.tokenizer_options, clip.use_clip_schedule, clip.apply_hooks_to_conds = {}, False, None
    return clip


@pytest.mark.parametrize(
    "tokenizer, tower",
    [("sd3_clip.SD3Tokenizer", "t5xxl"), ("flux.FluxTokenizer", "t5xxl"), ("qwen_image.QwenImageTokenizer", "qwen25_7b")],
)
def test_other_text_encoders_are_refused_by_name(studio, tokenizer, tower):
    """SVR counts spans in CLIP's chunks of 77; a T5 or a language model has none. Nothing is encoded before that is said."""
    with pytest.raises(ValueError, match=rf"^SVR Reweight - clip: .*{tower}"):
        studio("sdxl").svr(clip=clip_with(tokenizer))
