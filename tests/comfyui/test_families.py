"""The UNets that the pack is for, each in ComfyUI's own class."""

import importlib

import pytest

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
    """Names as in each model's diffusers configuration, with how many blocks of attention it has
    there.
    """
    s = studio(shape)
    blocks = importlib.import_module(f"{pack.__name__}.ipca.unet.blocks")
    found = blocks.attention_sites(s.model.model.diffusion_model)
    assert {name: len({site[:2] for site in sites}) for name, sites in found.items()} == expected
    ours, plain = s.sample(s.ipca()), s.sample(s.model)
    assert relative(ours, s.sample(bias_form(s))) < ROUNDING
    assert relative(ours, plain) > 100 * ROUNDING
    deepest = s.sample(s.ipca(blocks="coarse"))
    assert relative(deepest, plain) > ROUNDING and relative(deepest, ours) > ROUNDING
