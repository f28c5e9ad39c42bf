"""Which frames share a batch: cost, never content."""

import re
from collections.abc import Hashable, Sequence
from itertools import groupby
from typing import Any

import torch

from ..families import ADAPTER_TOKENS
from ..story.rows import rows_of
from ..story.selection import selection_text
from ..svr.stack import padded_lengths
from .companions import items_by_number
from .cut import Conditioning

MIN_DIGITS = 3
LONGEST_NUMBERS = 60  # letters, before they are padded: file systems take names of about 250


def batches_of(frames: list[int], at_most: int, kinds: Sequence[Hashable] = ()) -> list[list[int]]:
    """`frames` in their order, in batches of `at_most`; 0 puts all in one.

    `kinds` says for each frame of the story what all frames of one batch must have in common.
    """
    size = at_most or len(frames)
    runs = [list(run) for _, run in groupby(frames, key=lambda frame: kinds[frame] if kinds else 0)]
    return [run[start : start + size] for run in runs for start in range(0, len(run), size)]


def file_name(batch: list[int], count: int) -> str:
    """What the files of a batch may be called, of a story of `count` frames: `frame-006`.

    `batch` counts from 0, ascending. Of several frames `frames-001-004,006`, whose files a save
    node counts in this order. Numbers have at least three digits, so that files sort as the story
    does.
    """
    digits = max(MIN_DIGITS, len(str(count)))
    numbers = selection_text(batch)
    if len(numbers) > LONGEST_NUMBERS:
        numbers = f"{batch[0] + 1}-to-{batch[-1] + 1}"
    padded = re.sub(r"\d+", lambda number: number[0].zfill(digits), numbers)
    return f"frame-{padded}" if len(batch) == 1 else f"frames-{padded}"


def alike(
    conditioning: Conditioning,
    count: int,
    told: tuple[bool, ...] = (),
    references: Sequence[Hashable] = (),
) -> list[tuple[Hashable, ...]]:
    """For each of a story's `count` frames what it must share with the others of its batch.

    Per entry that is the lengths of its prompt, a pair, and its mask where ComfyUI makes one area
    around the masks of the whole batch; then the references that the model sees, which are one
    list for a whole batch. Only frames that are equal in them may share a batch. Where an adapter
    in the model makes the text, ComfyUI gives it one row at a time: every frame has its own batch.
    """
    kinds: list[Sequence[Hashable]] = []
    for cond, extra in conditioning:
        lengths = padded_lengths("frames", cond, rows_of(extra, count))
        kinds += [lengths or [(0, 0)] * count, _masks_with_bounds(extra, count, told)]
        if has_adapter_tokens([[cond, extra]]):
            kinds.append(range(count))
    return list(zip(*kinds, references or [()] * count))


def has_adapter_tokens(conditioning: Conditioning) -> bool:
    """Whether an adapter in the model makes the text."""
    return any(extra.get(ADAPTER_TOKENS[0]) is not None for _, extra in conditioning)


def _masks_with_bounds(extra: dict[str, Any], count: int, told: tuple[bool, ...]) -> list[int]:
    """For every frame the first item with its mask; 0 where the mask's bounds do not count."""
    mask = extra.get("mask")
    if not extra.get("set_area_to_bounds") or mask is None or mask.ndim < 3:
        return [0] * count
    first = [next(at for at, other in enumerate(mask) if torch.equal(own, other)) for own in mask]
    items = items_by_number(count, told).get(len(mask), [0] * count)
    return [first[item] for item in items]
