"""Attention back ends that ignore masks, and a way around them.

A strength and a dropout are a mask. SageAttention takes none, and some of the packs that install it
drop the mask silently. Asked for full precision, it hands over to PyTorch's attention under newer
ComfyUI and KJNodes. A probe finds the others, and PyTorch's attention takes their place for the
rows that need the mask.
"""

from collections.abc import Callable, Hashable

import torch

from .attention import Attend

FULL_PRECISION = {"low_precision_attention": False}
PROBE_TOKENS = 64


class Probe:
    """Finds out which back ends honour masks: each is tested once per run."""

    def __init__(self) -> None:
        self._honours: dict[Hashable, bool] = {}

    def honours(self, backend: Hashable, attend: Attend, like: torch.Tensor, ndim: int) -> bool:
        """Whether `attend`, which calls `backend`, honours a mask of `ndim` dimensions for queries
        such as `like`.

        `like` is [B, N, heads * d] or [B, heads, N, d]. The first test of a back end waits for the
        device.
        """
        key = (backend, like.device, like.dtype, like.ndim, like.shape[-1], ndim)
        if key not in self._honours:
            self._honours[key] = honours_masks(attend, like, ndim)
        return self._honours[key]


def honours_masks(attend: Attend, like: torch.Tensor, ndim: int) -> bool:
    """Whether masked keys have no effect: a tiny call whose values are 1 where they are masked, and
    else 0.
    """
    shape = [1, *like.shape[1:-2], PROBE_TOKENS, like.shape[-1]]
    q = torch.zeros(shape, dtype=like.dtype, device=like.device)
    v = torch.zeros_like(q)
    mask = torch.zeros([1] * (ndim - 1) + [PROBE_TOKENS], dtype=like.dtype, device=like.device)
    v[..., : PROBE_TOKENS // 2, :] = 1
    mask[..., : PROBE_TOKENS // 2] = -torch.inf
    try:
        return float(attend(q, torch.zeros_like(q), v, mask).abs().max()) < 0.01
    except (RuntimeError, TypeError, ValueError):
        return False  # it takes no mask at all


def honouring_masks(
    attend: Callable[..., torch.Tensor], pytorch: Attend, backend: Hashable, probe: Probe
) -> Attend:
    """`attend(q, k, v, mask, **options)` of some `backend` where it honours a mask, else
    `pytorch`'s attention.
    """

    def in_full_precision(
        q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        return attend(q, k, v, mask, **FULL_PRECISION)

    def masked(
        q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        if mask is None or probe.honours(backend, in_full_precision, q, mask.ndim):
            return in_full_precision(q, k, v, mask)
        return pytorch(q, k, v, mask)

    return masked
