"""Time side by side: with and without in turn, so that whatever else the machine does meets
both.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.benchmark import timer

from ..training.precision import fast_dtype

CUDA = torch.cuda.is_available()
PAIRS, SECONDS = 12 if CUDA else 5, 30.0  # at the least

Line = tuple[str, str, str, str]  # of the benchmark's table: what, ratio, measured, target


def number_format() -> torch.dtype:
    """What models run in here: half precision on a GPU; on a CPU bfloat16 where it is the faster,
    else float32.
    """
    return torch.float16 if CUDA else fast_dtype("cpu") or torch.float32


def compared(what: str, with_it: Callable, without: Callable, target: str, rough=False) -> Line:
    """The median of the pairwise ratios, and both medians. Where a few hundredths matter, which is
    unless it is `rough`, short calls are repeated for SECONDS: they are noisy and cost little.
    """
    with_it(), without()
    pairs: list[tuple[float, float]] = []
    until = timer() + (0.0 if rough else SECONDS)
    while len(pairs) < PAIRS or timer() < until:
        took = {}
        for call in (with_it, without) if len(pairs) % 2 else (without, with_it):
            start = timer()  # waits for a GPU, as the next one does
            call()
            took[call] = timer() - start
        pairs.append((took[with_it], took[without]))
    a, b = np.transpose(pairs)
    times = f"{np.median(a):.2f} s / {np.median(b):.2f} s"
    return what, f"{np.median(a / b):.{1 if rough else 3}f}", times, target
