"""Story Sheet as ComfyUI calls it: every input a list."""

import pytest
import torch

from bench.studio import defaults_of


def sheet(nodes, images, captions=None, frame_numbers=None, again=None, **inputs):
    node = nodes["StorySheet"]
    lists = {name: [value] for name, value in {**defaults_of(node), **inputs}.items()}
    given = {"captions": captions, "frame_numbers": frame_numbers, "again": again}
    more = {name: value for name, value in given.items() if value is not None}
    return node.execute(images=images, **lists, **more).args[0]


def coloured(count, value, size=(32, 48)):
    return torch.full((count, *size, 3), value)


def test_batches_of_different_sizes_come_on_one_sheet_in_order(nodes):
    out = sheet(
        nodes, [coloured(2, 0.25), coloured(1, 0.5, (16, 24))], columns=3, margin=0, numbers=False
    )
    assert out.shape == (1, 32, 144, 3) and out.dtype == torch.float32
    assert (out[0, :, :96] - 0.25).abs().max() < 0.003
    assert (out[0, 8:24, 108:132] - 0.5).abs().max() < 0.003
    assert (out[0, :8, 96:] == 1).all(), "the rest is paper"


def test_one_channel_is_grey_and_a_transparent_picture_shows_the_paper(nodes):
    """The paper is white; half transparent grey is between the two."""
    grey = torch.full((1, 8, 8, 1), 0.5)
    colour, shape = torch.full((1, 8, 8, 3), 0.5), (1, 8, 8, 1)
    opaque, half, clear = (
        torch.cat([colour, torch.full(shape, opacity)], dim=-1) for opacity in (1.0, 0.5, 0.0)
    )
    for picture, seen in ((grey, 0.5), (opaque, 0.5), (half, 0.75), (clear, 1.0)):
        assert (sheet(nodes, [picture], margin=0, numbers=False) - seen).abs().max() < 0.005


def test_captions_may_be_missing_a_list_or_lines_of_one_text(nodes):
    images = [coloured(3, 0.5)]
    bare, listed, lines = (
        sheet(nodes, images, captions, panel_width=64)
        for captions in (None, ["one", "two", "three"], ["one\ntwo\n\nthree"])
    )
    assert torch.equal(listed, lines) and not (
        bare.shape == listed.shape and torch.equal(bare, listed)
    )


def test_pictures_made_again_take_the_places_of_those_they_replace(nodes):
    images = [coloured(1, 0.1), coloured(2, 0.3), coloured(1, 0.7)]
    again = [coloured(1, 0.5), coloured(1, 0.9)]
    expected = [coloured(1, value) for value in (0.1, 0.5, 0.3, 0.9)]
    assert torch.equal(
        sheet(nodes, images, again=again, again_numbers="2,4"), sheet(nodes, expected)
    )
    assert torch.equal(sheet(nodes, images, again_numbers="2"), sheet(nodes, images)), (
        "numbers alone replace nothing"
    )


@pytest.mark.parametrize(
    "numbers, words",
    [
        ("2", "names 1 of the 3 pictures but again brings 2"),
        ("", "names 3 of"),
        ("4", "outside"),
        ("x", "not a frame"),
    ],
)
def test_numbers_that_do_not_fit_are_told(nodes, numbers, words):
    with pytest.raises(ValueError, match=f"Story Sheet - again_numbers: .*{words}"):
        sheet(nodes, [coloured(3, 0.5)], again=[coloured(2, 0.1)], again_numbers=numbers)


@pytest.mark.parametrize(
    "captions, inputs, words",
    [
        (["one"], {}, "Story Sheet - captions: there are 1 captions for 2 pictures"),
        (None, {"style": "mosaic"}, "Story Sheet - style: 'mosaic' is unknown"),
        (None, {"paper": "red"}, "Story Sheet - paper"),
        (None, {"columns": -1}, "Story Sheet - columns"),
        (None, {"panel_width": 0}, "Story Sheet - panel_width"),
        (None, {"margin": 9999}, "Story Sheet - margin"),
        (None, {"font_size": -3}, "Story Sheet - font_size"),
    ],
)
def test_bad_input_is_told(nodes, captions, inputs, words):
    with pytest.raises(ValueError, match=words):
        sheet(nodes, [coloured(2, 0.5)], captions, **inputs)


def test_images_are_not_changed(nodes):
    images = coloured(2, 0.3)
    before = images.clone()
    sheet(nodes, [images], ["a", "b"])
    assert torch.equal(images, before)


def test_pictures_may_have_numbers_of_their_own(nodes):
    """Frames 2 and 5 under each other: the first panel is that of a sheet which counts from 2, the
    second of one which counts from 4.
    """
    two = [coloured(2, 0.5, (64, 64))]
    numbered = sheet(nodes, two, frame_numbers=[2, 5], columns=1)
    first, second = (sheet(nodes, two, columns=1, first_number=number) for number in (2, 4))
    half = numbered.shape[1] // 2
    assert torch.equal(numbered[:, :half], first[:, :half]) and torch.equal(
        numbered[:, half:], second[:, half:]
    )
    assert not torch.equal(first[:, half:], second[:, half:])
    with pytest.raises(
        ValueError, match="^Story Sheet - frame_numbers: there are 1 numbers for 2 pictures"
    ):
        sheet(nodes, two, frame_numbers=[2])
