import pytest
from story_pack.story.selection import parse_selection, selection_text


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


@pytest.mark.parametrize(
    "text", ["0", "7", "1-7", "3-1", "a", ",", "1;2", "-1", "1.5", "1-", "9" * 5000]
)
def test_unreadable_or_outside_is_refused(text):
    with pytest.raises(ValueError, match="^select: "):
        parse_selection(text, 6)


@pytest.mark.parametrize("text", ["1", "1-3", "1,3", "1-2,4,6-8", "2-8"])
def test_a_selection_is_written_as_it_is_read(text):
    assert selection_text(parse_selection(text, 8)) == text
