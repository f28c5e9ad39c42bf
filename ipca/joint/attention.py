"""Joint attention in which some keys count 1 + strength times.

IPCA with protection and without dropout, softmax(Q [K ; K_id]^T / sqrt(d) + log M) [V ; V_id], gives keys that the
frame's own prompt has already once more where the text encoder is causal: K_id are rows of K. So a model without attn2
needs no other prompt's keys. With n_j the weight of key j, 1 + strength on the identity's columns and 1 elsewhere,

    out = sum_j n_j exp(q k_j / sqrt(d)) v_j / sum_j n_j exp(q k_j / sqrt(d))

which is the same whether key j is laid in twice (n_j = 2, no mask) or biased by log n_j.

Shapes are ComfyUI's: q, k, v [B, N, heads * d], or [B, heads, N, d] where `axis` is 2. `attend(q, k, v, mask)` is the
attention back end; its mask is boolean (True: seen) or added to the logits.
"""

import math

import torch

from ..attention import Attend, memory_bias


def counted_again(
    attend: Attend,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: torch.Tensor | None,
    columns: torch.Tensor,
    strength: float,
    kept: torch.Tensor | None,
    axis: int,
) -> torch.Tensor:
    """Attend with the keys at `columns` (int64 [n]) counted 1 + strength times; `kept` is a dropout mask, bool [Q, n], or None.

    Without dropout and at strength 1 the columns are laid in twice and there is no mask of ours, so back ends that take
    none stay usable; at another strength the keys are biased instead. Dropout needs both: the columns laid in twice and
    a mask for every query, which is what it costs.
    """
    if kept is None and strength != 1.0:
        bias = torch.zeros(1, k.shape[axis], dtype=q.dtype, device=q.device)
        bias[:, columns] = math.log1p(strength)
        return attend(q, k, v, _joined(mask, bias))
    own = k.shape[axis]
    k, v = _laid_in(k, columns, axis), _laid_in(v, columns, axis)
    if mask is not None and mask.shape[-1] == own:
        mask = _laid_in(mask, columns, mask.ndim - 1)
    weights = memory_bias(own, len(columns), strength, kept, q)
    return attend(q, k, v, mask if weights is None else _joined(mask, weights))


def _laid_in(tensor: torch.Tensor, columns: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.cat([tensor, tensor.index_select(axis, columns)], dim=axis)


def _joined(mask: torch.Tensor | None, bias: torch.Tensor) -> torch.Tensor:
    """A mask with our bias [1 or Q, K] added to its logits, at least three-dimensional as every back end takes it."""
    if mask is None:
        return bias.unsqueeze(0)
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=bias.dtype).masked_fill_(~mask, -torch.inf)
    return mask + bias
