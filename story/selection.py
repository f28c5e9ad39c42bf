"""Frames as artists write them: the text `1-3,5`."""

import re
from collections.abc import Iterable

from ..errors import InputError
from .marks import shown, stripped

RANGE = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?")


def parse_selection(select: str, frame_count: int, name: str = "select") -> list[int]:
    """Frames (from 0) that a text like `1-3,5` names (from 1), in the story's order, each once.
    Empty means all.

    `name` is the input that errors name.
    """
    if not stripped(select):
        return list(range(frame_count))
    chosen: set[int] = set()
    for part in filter(None, map(stripped, select.split(","))):
        match = RANGE.fullmatch(part)
        if match is None:
            raise InputError(
                name,
                f"'{shown(part)}' is not a frame number or a range",
                "Write frames like '1-3,5', or leave it empty for all",
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= frame_count:
            raise InputError(
                name,
                f"'{part}' is outside the story's frames 1 to {frame_count}",
                f"Write frames from 1 to {frame_count}, the smaller number of a range first",
            )
        chosen.update(range(first - 1, last))
    if not chosen:
        raise InputError(
            name,
            f"'{shown(select)}' names no frame",
            "Write frames like '1-3,5', or leave it empty for all",
        )
    return sorted(chosen)


def selection_text(frames: Iterable[int]) -> str:
    """Frames (from 0, ascending) as the shortest text that parse_selection reads (from 1):
    `1-3,5`.
    """
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ",".join(
        f"{first + 1}-{last + 1}" if last > first else str(first + 1) for first, last in runs
    )
