import pytest
from story_pack.families import ENCODERS
from story_pack.svr.layout import Layout
from story_pack.svr.parts import DoesNotFit, Part, place

KINDS = {kind.name: kind for kind in ENCODERS}
TEXT = Layout(phrases=((4, 5), (6,)), begins=(0,), ends=(7, 8))


def placed(kind, tokens, shape, **widths):
    return place(KINDS[kind], dict.fromkeys(widths, TEXT), tokens, widths, shape)


def test_towers_side_by_side_share_their_rows():
    parts = placed("SDXL", {"l": 77, "g": 77}, (77, 96), l=32, g=64)
    assert parts == (Part("l", slice(0, 32), TEXT), Part("g", slice(32, 96), TEXT))
    assert placed("SDXL", {"g": 77}, (77, 64), g=64) == (Part("g", slice(0, 64), TEXT),), (
        "the refiner"
    )


def test_sd3_stacks_bands_and_keeps_the_place_of_a_missing_tower():
    below = Layout(phrases=((158, 159), (160,)), begins=(154,), ends=(161, 162))
    parts = placed("SD3", {"l": 154, "g": 154, "t5xxl": 90}, (244, 4096), l=768, g=1280, t5xxl=4096)
    assert parts == (
        Part("l", slice(0, 768), TEXT),
        Part("g", slice(768, 2048), TEXT),
        Part("t5xxl", slice(0, 4096), below),
    )
    assert placed("SD3", {"g": 77}, (77, 4096), g=1280) == (Part("g", slice(768, 2048), TEXT),)
    assert placed("SD3", {"t5xxl": 90}, (90, 4096), t5xxl=4096) == (
        Part("t5xxl", slice(0, 4096), TEXT),
    )


def test_an_encoder_that_drops_its_first_rows():
    dropped = Layout(phrases=((1, 2), (3,)), begins=(), ends=(4, 5))
    assert placed("Qwen-Image", {"qwen25_7b": 9}, (6, 3584), qwen25_7b=3584) == (
        Part("qwen25_7b", slice(0, 3584), dropped),
    )


@pytest.mark.parametrize(
    "kind, tokens, shape, widths",
    [
        ("SDXL", {"l": 77, "g": 77}, (77, 100), {"l": 32, "g": 64}),  # columns that are nobody's
        ("Qwen-Image", {"qwen25_7b": 9}, (4, 64), {"qwen25_7b": 64}),  # the text itself was dropped
        ("Flux", {"t5xxl": 9}, (12, 64), {"t5xxl": 64}),  # rows that no token made
    ],
)
def test_another_shape_than_the_encoders_say_is_refused(kind, tokens, shape, widths):
    with pytest.raises(DoesNotFit):
        placed(kind, tokens, shape, **widths)


def test_no_two_kinds_are_told_by_the_same_encoders():
    assert len({kind.keys for kind in ENCODERS}) == len(ENCODERS)
