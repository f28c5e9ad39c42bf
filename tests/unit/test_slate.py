"""The slate: bytes in rows of pixels that any collector of 8-bit pictures hands on, and what
follows from them.
"""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from story_pack.machines.pixels import read, rows_for, write
from story_pack.machines.record import Record, gather, longest_message, records_of, report
from story_pack.machines.share import Share

EVERY_BYTE = bytes(range(256)) * 3


def noise(height, width, channels=3, seed=0):
    return torch.rand(height, width, channels, generator=torch.Generator().manual_seed(seed))


def rounded(picture):
    return (picture.numpy() * 255).round().astype(np.uint8)


def cut_off(picture):
    return (picture.numpy() * 255).astype(np.uint8)


def as_png(to_bytes, tmp_path, mode=None):
    """A picture's way through an 8-bit PNG, made by rounding or by cutting off, as collectors do
    either.
    """

    def way(picture):
        image = Image.fromarray(
            to_bytes(picture).squeeze(-1) if picture.shape[-1] == 1 else to_bytes(picture)
        )
        image.save(tmp_path / "picture.png")
        back = (
            np.asarray(Image.open(tmp_path / "picture.png").convert(mode or image.mode), np.float32)
            / 255
        )
        return torch.from_numpy(back.copy()).reshape(*back.shape[:2], -1)

    return way


@pytest.mark.parametrize("to_bytes", [rounded, cut_off])
@pytest.mark.parametrize(
    "channels, mode", [(3, None), (4, None), (4, "RGB"), (1, None), (1, "RGB")]
)
@pytest.mark.parametrize("width", [1, 7, 32, 1024])
def test_every_byte_comes_through_an_8_bit_png(tmp_path, width, channels, mode, to_bytes):
    rows = rows_for(len(EVERY_BYTE), width, channels) + 2
    slated = write(noise(5, width, channels), EVERY_BYTE, rows)
    assert (
        slated.shape == (rows + 5, width, channels)
        and float(slated.min()) >= 0
        and float(slated.max()) <= 1
    )
    assert read(slated) == (EVERY_BYTE, rows)
    assert read(as_png(to_bytes, tmp_path, mode)(slated)) == (EVERY_BYTE, rows)


def test_the_picture_below_is_the_same_to_the_last_bit():
    picture = noise(9, 33)
    rows = rows_for(40, 33, 3)
    assert torch.equal(write(picture, b"x" * 40, rows)[rows:], picture)


@pytest.mark.parametrize(
    "picture",
    [
        noise(64, 64),
        torch.zeros(64, 64, 3),
        torch.ones(1, 1, 3),
        torch.full((64, 64, 3), float("nan")),
    ],
)
def test_an_ordinary_picture_has_no_slate(picture):
    assert read(picture) is None


@pytest.mark.parametrize("seed", range(40))
def test_one_changed_pixel_of_a_slate_is_noticed(seed):
    """A damaged slate is none: never another message."""
    draw = random.Random(seed)
    message = bytes(draw.randrange(256) for _ in range(50))
    rows = rows_for(len(message), 16, 3)
    slated = write(noise(4, 16), message, rows)
    places = -(-(20 + len(message)) // 3)  # pixels that carry mark, numbers and message
    place, channel = draw.randrange(places - 1), draw.randrange(3)
    value = slated[place // 16, place % 16, channel]
    slated[place // 16, place % 16, channel] = (value + 0.5) % 1
    assert read(slated) is None


@pytest.mark.parametrize("change", ["halved", "doubled", "blurred", "mirrored", "cropped"])
def test_a_picture_that_was_changed_has_no_slate(change):
    slated = write(noise(64, 64), b"a message", 3)
    image = Image.fromarray(rounded(slated))
    changed = {
        "halved": lambda: image.resize((32, 33)),
        "doubled": lambda: image.resize((128, 134)),
        "blurred": lambda: image.resize((63, 66)).resize((64, 67)),
        "mirrored": lambda: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "cropped": lambda: image.crop((1, 0, 64, 67)),
    }[change]()
    assert read(torch.from_numpy(np.asarray(changed, np.float32) / 255)) is None


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="cannot hold"):
        write(noise(4, 16), b"x" * 100, 1)


SHARE = Share(
    ("in the snow", "at sea, ganz groß 雪", "x" * 300, "at home"), (0, 1, 3), (0, 1), 0, 2
)


def test_records_come_back_as_they_were_and_need_no_more_than_the_longest():
    for record in records_of(SHARE, [0, 1, 3], SHARE.asked, (48, 64), True):
        assert Record.decode(record.encode()) == record
        assert record.caption == SHARE.captions[record.frame] and (record.width, record.height) == (
            64,
            48,
        )
        assert len(record.encode()) <= longest_message(SHARE, SHARE.asked)
    other = Share(SHARE.captions, SHARE.asked, (3,), 1, 2)
    assert longest_message(other, other.asked) == longest_message(SHARE, SHARE.asked), (
        "all machines' pictures have one size"
    )


def test_half_a_character_is_kept():
    (record,) = records_of(Share(("fox \ud83e",), (0,), (0,), 0, 1), [0], [0], (8, 8), True)
    assert Record.decode(record.encode()).caption == "fox \ud83e"


def came(
    frames, asked=(0, 1, 2, 3, 4, 5), part=0, parts=3, masters=True, captions=tuple("abcdefg")
):
    return records_of(
        Share(captions, tuple(asked), tuple(frames), part, parts), frames, asked, (8, 8), masters
    )


def test_pictures_are_put_in_order_doubles_dropped_and_gaps_named():
    gathered = gather([*came([4, 5], part=2), *came([0, 1]), *came([1, 0])])
    assert [record.frame for record in gathered.records] == [0, 1, 4, 5]
    assert gathered.places == [2, 3, 0, 1] and gathered.missing == [2, 3]
    assert str(report(gathered)).startswith("images: 2 of 6 frames did not come: 3-4. ")


def test_what_nobody_asked_for_is_not_missing():
    assert gather(came([1, 6], asked=(1, 6))).missing == []


@pytest.mark.parametrize(
    "part, masters, told", [(1, True, True), (0, True, False), (1, False, False)]
)
def test_a_master_that_left_its_share_is_named(part, masters, told):
    assert (
        "if the master only delegates" in str(report(gather(came([2], part=part, masters=masters))))
    ) is told


def test_two_stories_are_not_mixed():
    for other in (came([1], captions=tuple("abcdefx")), came([1], asked=(0, 1))):
        with pytest.raises(
            ValueError, match="^images: there are pictures of two different stories"
        ):
            gather([*came([0]), *other])
