"""Attention spelled out, so that training can keep it soft and `evidence/softness.py` can say how
soft it is.

Where one key takes all, counting some keys twice moves nothing. How sharp attention is, is told by
the standard deviation of its logits q.k / sqrt(d) over the keys.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

TARGET = 2.0  # standard deviations up to which training does not mind


@dataclass
class Spelled:
    """Stands in for ComfyUI's attention; on a CPU it trains so few tokens three times faster than
    the fused kernel. `look` receives the logits [B, heads, queries, keys] of every cross-attention,
    which has other tokens as keys than as queries, and the block's name.
    """

    look: Callable[[torch.Tensor, str], None]

    def __call__(self, func, q, k, v: torch.Tensor, heads: int, **kwargs) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if k.shape[2] != q.shape[2]:
            place, number, *_ = kwargs["transformer_options"]["block"]
            self.look(logits, f"{place} {number}")
        return (logits.softmax(-1, dtype=torch.float32).to(v.dtype) @ v).transpose(1, 2).flatten(2)


def sharpness(logits: torch.Tensor) -> torch.Tensor:
    """Standard deviation over the keys, float32 [B, heads, queries]."""
    return logits.float().var(-1, correction=0).clamp(min=1e-6).sqrt()


def excess(logits: torch.Tensor) -> torch.Tensor:
    """What training is fined for: the mean square of sharpness above TARGET, as a share of it."""
    return (sharpness(logits) / TARGET - 1).clamp(min=0).square().mean()
