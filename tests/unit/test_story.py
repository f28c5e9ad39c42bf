import pytest
from story_pack.story.story import fitting_length, parse_story, windows


def test_lines_become_frames_and_blank_lines_are_ignored():
    story = parse_story("  a red fox \n", "\n in the snow \n\n\tat sea\r\n", 10)
    assert story.identity == "a red fox"
    assert story.frames == ("in the snow", "at sea")
    assert story.phrases((1, 0)) == ("a red fox", "at sea", "in the snow")


def test_a_line_that_begins_with_a_hash_is_a_frame_switched_off():
    assert parse_story("a fox", "in the snow\n  # at sea\n#\nframe #2", 10).frames == (
        "in the snow",
        "frame #2",
    )


def test_a_story_knows_which_of_its_lines_are_told():
    assert parse_story("a fox", "in the snow\n\n # at sea\n##\nframe #2", 10).told == (
        True,
        False,
        True,
    )
    assert parse_story("a fox", "in the snow\n#\nat sea", 10).told == (), (
        "a divider is no line of the story"
    )


@pytest.mark.parametrize(
    "identity, frames, length, named",
    [
        (" \n", "one", 10, "identity"),
        ("fox", " \n\n", 10, "frames"),
        ("fox", "# in the snow", 10, "frames"),
        ("fox", "one", 0, "window_length"),
        ("fox", "one", 65, "window_length"),
    ],
)
def test_bad_text_is_refused_by_input_name(identity, frames, length, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        parse_story(identity, frames, length)


def test_full_window_is_the_same_prompt_for_every_frame():
    assert windows(3, 3) == ((0, 1, 2),) * 3
    assert windows(3, 7) == ((0, 1, 2),) * 3


def test_short_window_is_circular_and_begins_with_its_frame():
    assert windows(4, 3) == ((0, 1, 2), (1, 2, 3), (2, 3, 0), (3, 0, 1))
    assert windows(5, 1) == ((0,), (1,), (2,), (3,), (4,))


@pytest.mark.parametrize(
    "sizes, length, budget, expected",
    [
        ([10, 10, 10, 10], 10, 75, 4),  # 20 + 40 fits: one prompt for all
        ([10, 10, 10, 10], 2, 75, 2),  # the artist's own limit
        ([10, 10, 10, 10], 10, 50, 3),  # 20 + 30 = 50 fits to the token
        ([10, 10, 10, 10], 10, 49, 2),
        (
            [1, 30, 1, 30],
            10,
            60,
            2,
        ),  # 20 + 31: every neighbouring pair fits, a triple of 61 does not
        ([60, 70], 10, 75, 1),  # over budget even on its own: still legal
    ],
)
def test_window_is_the_largest_that_fits_every_frame(sizes, length, budget, expected):
    assert fitting_length(20, sizes, length, budget) == expected
