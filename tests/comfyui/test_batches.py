"""Other packs between the sampler and the model: rows keep their own identity, however the batch is
cut or stacked.

The independent form is IPCA as a bias, which knows rows by their embeddings, under the same pack.
"""

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from bench.batch_packs import (
    PACKS,
    halves,
    in_parts,
    ipca_lines,
    tiles,
    under,
    whole,
    windows,
    without_our_numbers,
)
from bench.references import bias_form
from bench.studio import relative

ROUNDING = 1e-4
CAST = [
    "@girl feeding ducks",
    "@dog in the snow",
    "@girl and @dog at sea",
    "the street at night @nobody",
]


@pytest.fixture
def s(studio):
    return studio("small")


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_that_cuts_or_stacks_the_batch(s, name, warnings_of):
    expected = s.sample(under(bias_form(s), PACKS[name]))
    assert relative(s.sample(under(s.ipca(), PACKS[name])), expected) < ROUNDING
    assert relative(s.sample(under(s.model, PACKS[name])), expected) > 100 * ROUNDING
    assert not ipca_lines(warnings_of)


@pytest.mark.parametrize("name", PACKS)
def test_a_cast_under_such_a_pack(s, name):
    story = s.prompt("A photo of\n@girl: a girl with red braids\n@dog: a small brown dog", CAST)
    positive, latent = s.story_batch(story=story, frames=s.svr(story))
    alone = torch.cat(
        [
            s.sample(
                under(s.ipca(story=story), PACKS["tiles"] if name == "tiles" else whole),
                *s.story_batch(story=story, frames=s.svr(story), select=f"{n}"),
            )
            for n in (1, 2, 3, 4)
        ]
    )
    assert (
        relative(s.sample(under(s.ipca(story=story), PACKS[name]), positive, latent), alone)
        < ROUNDING
    )


def test_a_pack_that_drops_the_numbers(s, warnings_of):
    """Rows are named by their conditionings as long as the batch is whole; else IPCA steps aside
    with one line.
    """
    assert torch.equal(s.sample(under(s.ipca(), without_our_numbers(whole))), s.sample(s.ipca()))
    assert not ipca_lines(warnings_of)
    for cut in (tiles, halves(3)):
        assert (
            relative(
                s.sample(under(s.ipca(), without_our_numbers(cut))), s.sample(under(s.model, cut))
            )
            < ROUNDING
        )
    assert (
        len(ipca_lines(warnings_of)) == 1
        and "changed the batch between the sampler and the model" in ipca_lines(warnings_of)[0]
    )


def test_a_pack_that_drops_the_numbers_beside_a_region(s):
    """ComfyUI gives the negative a region under the positive's name: it must not be taken for the
    positive.
    """
    area = s.core(
        "ConditioningSetArea", conditioning=s.frames, width=32, height=64, x=0, y=0, strength=1.0
    )
    positive, latent = s.story_batch(frames=area)
    ours = s.sample(under(s.ipca(), without_our_numbers(whole)), positive, latent)
    assert relative(ours, s.sample(bias_form(s), positive, latent)) < ROUNDING


@pytest.mark.parametrize("sizes", [[3, 3], [1, 5], [2, 4]])
def test_a_pack_that_splits_the_batch_over_devices_inside_the_model(s, sizes, warnings_of):
    unet = s.model.model.diffusion_model
    wanted = {strength: s.sample(bias_form(s, strength=strength)) for strength in (1.0, 3.0)}
    try:
        in_parts(unet, sizes)
        ours = {strength: s.sample(s.ipca(strength=strength)) for strength in wanted}
    finally:
        del unet.forward
    assert all(relative(ours[strength], wanted[strength]) < ROUNDING for strength in wanted)
    assert relative(s.sample(s.ipca()), wanted[1.0]) < ROUNDING and not ipca_lines(warnings_of)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_window_over_the_frames_of_a_cast(s, size, warnings_of):
    if not hasattr(WrappersMP, "CALC_COND_BATCH"):
        pytest.skip("this ComfyUI has no wrapper around a step's model calls")
    story = s.prompt("A photo of\n@girl: a girl with red braids\n@dog: a small brown dog", CAST)
    positive, latent = s.story_batch(story=story, frames=s.svr(story))
    wanted = s.sample(s.ipca(story=story), positive, latent)
    assert (
        relative(s.sample(windows(s.ipca(story=story), size), positive, latent), wanted) < ROUNDING
    )
    assert not ipca_lines(warnings_of)
