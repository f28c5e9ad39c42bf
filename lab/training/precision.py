"""Where and in which number format the lab trains: found out by a short measurement, not looked up
in a list of processors.

Some processors take bfloat16 and work it out in software, many times slower than float32; others
have matrix units for it. float16 is no candidate: its gradients would need scaling. Pictures that
are judged are always rendered in float32.
"""

import time
from functools import lru_cache

import torch

GAIN = 1.15  # less than this is noise, and float32 is the safer
PATIENCE = 3.0  # a candidate this many times slower in its first go gets no second
REPEATS = 5


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(where: torch.device) -> torch.autocast:
    """To the format that trains fastest on `where`; nothing where that is float32."""
    fast = fast_dtype(where.type)
    return torch.autocast(where.type, fast, enabled=fast is not None)


def told(where: torch.device) -> str:
    return f"training on {where}, {fast_dtype(where.type) or torch.float32}".replace("torch.", "")


@lru_cache(maxsize=4)
def fast_dtype(device_type: str) -> torch.dtype | None:
    """bfloat16 where a convolution and a linear layer train faster in it than in float32, else
    None. Takes about a second.
    """
    work = _Work(torch.device(device_type))
    plain = min(work.seconds(None) for _ in range(1 + REPEATS))
    for _ in range(2):  # the first go may hold one-off costs
        if work.seconds(torch.bfloat16) <= PATIENCE * plain:
            reduced = min(work.seconds(torch.bfloat16) for _ in range(REPEATS))
            return torch.bfloat16 if reduced * GAIN < plain else None
    return None


class _Work:
    """What our models spend their time on: a 3x3 convolution and a linear layer, forward and
    backward.
    """

    def __init__(self, where: torch.device):
        self.where = where
        self.convolution = torch.nn.Conv2d(64, 64, 3, padding=1, device=where)
        self.linear = torch.nn.Linear(64, 512, device=where)
        self.pictures = torch.randn(16, 64, 16, 16, device=where)

    def seconds(self, dtype: torch.dtype | None) -> float:
        start = time.perf_counter()
        with torch.autocast(self.where.type, dtype, enabled=dtype is not None):
            out = self.linear(self.convolution(self.pictures).movedim(1, -1))
        out.float().square().mean().backward()
        if self.where.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start
