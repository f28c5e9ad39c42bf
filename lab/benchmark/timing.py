"""Time side by side: with and without in turn, so that whatever else the machine does meets
both.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.benchmark import timer

from ..training.precision import fast_dtype

CUDA = torch.cuda.is_available()
PAIRS = 12 if CUDA else 5  # at the least
# at the least where a few hundredths matter: short calls are noisy and cost little to repeat
SECONDS = 30.0


def number_format() -> torch.dtype:
    """What models run in here: half precision on a GPU; on a CPU bfloat16 where it is the faster,
    else float32.
    """
    return torch.float16 if CUDA else fast_dtype("cpu") or torch.float32


def compared(
    letter: str,
    what: str,
    with_it: Callable,
    without: Callable,
    target: str,
    digits: int = 3,
    seconds: float = SECONDS,
) -> tuple[str, ...]:
    """A row of the table: what, the median of the pairwise ratios, both medians, target.
    Pairs are timed for at least so many `seconds`; the order within a pair alternates.
    """
    with_it(), without()
    pairs: list[tuple[float, float]] = []
    until = timer() + seconds
    while len(pairs) < PAIRS or timer() < until:
        took = {}
        for call in (with_it, without) if len(pairs) % 2 else (without, with_it):
            start = timer()  # waits for a GPU, as the next one does
            call()
            took[call] = timer() - start
        pairs.append((took[with_it], took[without]))
    a, b = np.transpose(pairs)
    times = f"{np.median(a):.2f} s / {np.median(b):.2f} s"
    return letter, what, f"{np.median(a / b):.{digits}f}", times, target
