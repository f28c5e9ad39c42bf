"""Which frames are rendered, and in which batches: cost, never content."""

import re
from collections.abc import Hashable, Iterable, Sequence
from itertools import groupby

from ..errors import InputError
from .marks import shown, stripped

RANGE = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?")


def parse_selection(select: str, frame_count: int, name: str = "select") -> list[int]:
    """Frames (from 0) that a text like `1-3,5` names (from 1), in the story's order, each once. Empty means all.

    `name` is the input that errors speak of.
    """
    if not stripped(select):
        return list(range(frame_count))
    chosen: set[int] = set()
    for part in filter(None, map(stripped, select.split(","))):
        match = RANGE.fullmatch(part)
        if match is None:
            raise InputError(
                name, f"'{shown(part)}' is not a frame number or a range", "Write frames like '1-3,5', or leave it empty for all"
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
        raise InputError(name, f"'{shown(select)}' names no frame", "Write frames like '1-3,5', or leave it empty for all")
    return sorted(chosen)


def selection_text(frames: Iterable[int]) -> str:
    """Frames (from 0, ascending) as the shortest text that parse_selection reads (from 1): `1-3,5`."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ",".join(f"{first + 1}-{last + 1}" if last > first else str(first + 1) for first, last in runs)


def share_of(frames: list[int], part_index: int, parts: int, spare_machines: bool = False) -> list[int]:
    """The contiguous share of `frames` that machine `part_index` of `parts` renders; shares differ by at most one.

    `parts` 0 means that nobody shares: all of them. More parts than frames are an error unless there may be `spare_machines`:
    then every machine renders one frame and some frames come more than once, for a machine that hands in nothing is waited for.
    """
    if parts < 0:
        raise InputError("parts", f"{parts} is negative", "Set it to the number of machines, or to 0 for automatic")
    if parts == 0:
        if part_index != 0:
            raise InputError(
                "part_index", f"{part_index} is set but parts is 0, automatic", "Set parts to the number of machines, or part_index to 0"
            )
        return frames
    if not 0 <= part_index < parts:
        raise InputError(
            "part_index", f"{part_index} is not below parts {parts}", "Set parts to the number of machines and count them from 0"
        )
    if parts > len(frames):
        if spare_machines:
            return [frames[part_index % len(frames)]]
        raise InputError(
            "parts",
            f"{parts} parts for {len(frames)} selected frames leave a machine without a frame",
            f"Set parts to at most {len(frames)}",
        )
    return frames[part_index * len(frames) // parts : (part_index + 1) * len(frames) // parts]


def batches_of(frames: list[int], frames_per_batch: int, kinds: Sequence[Hashable] = ()) -> list[list[int]]:
    """`frames` in their order, in groups of at most `frames_per_batch`; 0 puts all in one.

    `kinds` says for each frame of the story what it must have in common with those that it shares a batch with.
    """
    if frames_per_batch < 0:
        raise InputError(
            "frames_per_batch", f"{frames_per_batch} is negative", "Set it to the frames your memory holds, or 0 for all at once"
        )
    size = frames_per_batch or len(frames)
    runs = [list(run) for _, run in groupby(frames, key=lambda frame: kinds[frame] if kinds else None)]
    return [run[start : start + size] for run in runs for start in range(0, len(run), size)]
