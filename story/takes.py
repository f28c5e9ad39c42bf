"""Takes: a frame rendered again from other noise, with the same seed and without touching the
others.
"""

import re

from ..errors import InputError
from .marks import shown, stripped

TAKE = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?(?:\s*:\s*(\d{1,9}))?")
MAX_TAKE = 99
# noises set aside for one take of a story with one noise per frame; doubled until its frames fit
ROOM = 64


def parse_retake(retake: str, frame_count: int) -> dict[int, int]:
    """Takes by frame (from 0) that a text like `3, 5:4` names; a frame without a number gets take
    2. Others have take 1.
    """
    takes: dict[int, int] = {}
    for part in filter(None, map(stripped, retake.split(","))):
        match = TAKE.fullmatch(part)
        if match is None:
            raise InputError(
                "retake",
                f"'{shown(part)}' is not a frame with a take",
                "Write '3' for take 2 of frame 3, '3:4' for take 4",
            )
        first, last, take = int(match[1]), int(match[2] or match[1]), int(match[3] or 2)
        if not 1 <= first <= last <= frame_count:
            raise InputError(
                "retake",
                f"'{part}' is outside the story's frames 1 to {frame_count}",
                f"Name frames from 1 to {frame_count}",
            )
        if not 1 <= take <= MAX_TAKE:
            raise InputError(
                "retake",
                f"'{part}' is take {take}",
                f"Takes are numbered from 1, the first, to {MAX_TAKE}",
            )
        for frame in range(first - 1, last):
            if takes.setdefault(frame, take) != take:
                raise InputError(
                    "retake",
                    f"frame {frame + 1} is named with take {takes[frame]} and take {take}",
                    "Name each frame once",
                )
    return takes


def noise_numbers(
    frames: list[int], takes: dict[int, int], frame_count: int, shared: bool
) -> list[int]:
    """Which of the seed's noises each of `frames` starts from: ComfyUI's `batch_index`.

    Shared noise: 0 for take 1, so that take t of any frame is noise t - 1. One noise per frame: the
    frame's own number for take 1; each further take has a block of numbers of its own after those
    of all frames, so that no take meets another frame's noise. ComfyUI draws all noises up to the
    largest number: at most twice the frames for every take, never below 64, and up to 64 frames, a
    take stays the same when the story grows.
    """
    if shared:
        return [takes.get(frame, 1) - 1 for frame in frames]
    room = ROOM
    while room < frame_count:
        room *= 2
    return [frame + room * (takes.get(frame, 1) - 1) for frame in frames]
