"""Time side by side: with and without in turn, so that whatever else the machine does meets both."""

import statistics
import time
from collections.abc import Callable

import torch

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
DTYPE = torch.float16 if CUDA else torch.bfloat16
PAIRS = 12 if CUDA else 5


def clock() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def paired(with_it: Callable, without: Callable) -> tuple[float, float, float]:
    """Median of the pairwise ratios, and both medians in seconds. The order within a pair alternates."""
    with_it(), without()
    pairs = []
    for index in range(PAIRS):
        took = {}
        for call in (with_it, without) if index % 2 else (without, with_it):
            start = clock()
            call()
            took[call] = clock() - start
        pairs.append((took[with_it], took[without]))
    return statistics.median(a / b for a, b in pairs), statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
