import pytest
from story_pack.story.takes import noise_numbers, parse_retake


@pytest.mark.parametrize(
    "text, takes",
    [
        ("", {}),
        (" , ", {}),
        ("3", {2: 2}),
        ("3:2", {2: 2}),
        ("3:4, 5", {2: 4, 4: 2}),
        (" 1 - 2 : 7 ,6:1", {0: 7, 1: 7, 5: 1}),
        ("3,3:2", {2: 2}),
    ],
)
def test_takes_are_named_by_frames_from_one(text, takes):
    assert parse_retake(text, 6) == takes


@pytest.mark.parametrize(
    "text", ["7", "0:2", "3:0", "3:100", "3:2,3:3", "a", "3:", "3;2", "2-1:3", ":2", "9" * 4000]
)
def test_unreadable_or_outside_is_refused(text):
    with pytest.raises(ValueError, match="^retake: "):
        parse_retake(text, 6)


def test_with_shared_noise_a_take_is_a_noise():
    assert noise_numbers([0, 1, 2, 3], {}, 4, shared=True) == [0, 0, 0, 0]
    assert noise_numbers([1, 2], {2: 3, 3: 2}, 4, shared=True) == [0, 2]


@pytest.mark.parametrize("count", [1, 4, 64, 65, 1000])
def test_with_a_noise_a_frame_no_two_takes_meet(count):
    numbers = {
        (frame, take): noise_numbers([frame], {frame: take}, count, shared=False)[0]
        for frame in range(count)
        for take in range(1, 6)
    }
    assert len(set(numbers.values())) == len(numbers)
    assert all(numbers[frame, 1] == frame for frame in range(count))
    assert max(numbers.values()) < 5 * max(64, 2 * count), (
        "ComfyUI draws every noise up to the largest"
    )


def test_a_take_stays_when_the_story_grows():
    assert noise_numbers([2], {2: 2}, 4, shared=False) == noise_numbers(
        [2], {2: 2}, 60, shared=False
    )
