"""Time side by side: with and without in turn, so that whatever else the machine does meets
both.
"""

import statistics
import time
from collections.abc import Callable

import torch

from ..training.precision import device, fast_dtype

DEVICE = device()
CUDA = DEVICE.type == "cuda"
PAIRS = 12 if CUDA else 5  # at the least
# at the least where a few hundredths matter: short calls are noisy and cost little to repeat
SECONDS = 30.0


def number_format() -> torch.dtype:
    """What models run in here: half precision on a GPU; on a CPU bfloat16 where it is the faster,
    else float32.
    """
    return torch.float16 if CUDA else fast_dtype("cpu") or torch.float32


def clock() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def paired(
    with_it: Callable, without: Callable, seconds: float = SECONDS
) -> tuple[float, float, float]:
    """Median of the pairwise ratios, and both medians in seconds, of pairs over at least so many
    `seconds`. The order within a pair alternates.
    """
    with_it(), without()
    pairs: list[tuple[float, float]] = []
    until = clock() + seconds
    while len(pairs) < PAIRS or clock() < until:
        took = {}
        for call in (with_it, without) if len(pairs) % 2 else (without, with_it):
            start = clock()
            call()
            took[call] = clock() - start
        pairs.append((took[with_it], took[without]))
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def compared(
    letter: str,
    what: str,
    with_it: Callable,
    without: Callable,
    target: str,
    digits: int = 3,
    seconds: float = SECONDS,
) -> tuple[str, ...]:
    """A row of the benchmark's table: what, ratio, both times, target."""
    ratio, a, b = paired(with_it, without, seconds)
    return letter, what, f"{ratio:.{digits}f}", f"{a:.2f} s / {b:.2f} s", target
