import pytest
from story_pack.story.selection import batches_of, parse_selection, share_of


@pytest.mark.parametrize(
    "text, frames",
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("  ", [0, 1, 2, 3, 4, 5]),
        ("1-3,5", [0, 1, 2, 4]),
        (" 6 , 2 - 3 ", [1, 2, 5]),
        ("4,4,3-4", [2, 3]),
        ("1,,2,", [0, 1]),
    ],
)
def test_selection_names_frames_from_one_in_story_order(text, frames):
    assert parse_selection(text, 6) == frames


@pytest.mark.parametrize("text", ["0", "7", "1-7", "3-1", "a", ",", "1;2", "-1", "1.5", "1-", "9" * 5000])
def test_unreadable_or_outside_is_refused(text):
    with pytest.raises(ValueError, match="^select: "):
        parse_selection(text, 6)


@pytest.mark.parametrize("count, parts", [(1, 1), (7, 3), (10, 4), (5, 5), (200, 7)])
def test_parts_cover_every_frame_once_in_order(count, parts):
    frames = list(range(100, 100 + count))
    shares = [share_of(frames, index, parts) for index in range(parts)]
    assert sum(shares, []) == frames
    sizes = [len(share) for share in shares]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "index, parts, named", [(0, 4, "parts"), (3, 3, "part_index"), (-1, 2, "part_index"), (0, -1, "parts"), (1, 0, "part_index")]
)
def test_parts_that_cannot_be(index, parts, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        share_of([0, 1, 2], index, parts)


def test_batches():
    assert batches_of([0, 1, 2, 4, 5], 2) == [[0, 1], [2, 4], [5]]
    assert batches_of([0, 1, 2], 0) == [[0, 1, 2]]
    # frames that must not share a batch: the order stays the story's
    assert batches_of([0, 1, 2, 4, 5], 2, kinds=[9, 9, 9, 0, 7, 9]) == [[0, 1], [2], [4], [5]]
    assert batches_of([0, 1, 2], 0, kinds=["a", "b", "a"]) == [[0], [1], [2]]
    with pytest.raises(ValueError, match="^frames_per_batch: "):
        batches_of([0], -1)
