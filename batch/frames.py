"""Which frames share a batch: cost, never content."""

from collections.abc import Hashable, Sequence
from itertools import groupby

from ..story.rows import rows_of
from ..svr.stack import padded_lengths
from .cut import Conditioning


def batches_of(frames: list[int], at_most: int, kinds: Sequence[Hashable] = ()) -> list[list[int]]:
    """`frames` in their order, in batches of `at_most`; 0 puts all in one.

    `kinds` says for each frame of the story what it must have in common with those that it shares
    a batch with.
    """
    size = at_most or len(frames)
    runs = [list(run) for _, run in groupby(frames, key=lambda frame: kinds[frame] if kinds else 0)]
    return [run[start : start + size] for run in runs for start in range(0, len(run), size)]


def alike(conditioning: Conditioning, count: int) -> list[tuple[tuple[int, int], ...]]:
    """For each of a story's `count` frames the lengths of its prompts, a pair per entry.

    Only frames that are equal in them may share a batch.
    """
    records = [(cond, rows_of(extra, count)) for cond, extra in conditioning]
    lengths = [padded_lengths("frames", cond, rows) or [(0, 0)] * count for cond, rows in records]
    return list(zip(*lengths))
