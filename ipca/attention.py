"""The two equations of IPCA, One-Prompt-One-Story (arXiv 2501.13554), section 3.3.

In cross-attention (UNets) the identity's keys and values come from a prompt of their own, the
memory:

    K+ = [K ; K_id]   V+ = [V ; V_id]   out = softmax(Q K+^T / sqrt(d) + log M) V+

M is 1 on the frame's own keys. On the memory it is strength times a Bernoulli(1 - dropout) mask per
query and key.

In joint attention (transformers) the frame's own prompt has the identity's keys already, where the
text encoder is
causal: K_id are rows of K. So no other prompt is needed. With n_j the weight of key j, 1 + strength
on the identity's positions and 1 elsewhere,

    out = sum_j n_j exp(q k_j / sqrt(d)) v_j / sum_j n_j exp(q k_j / sqrt(d))

which is the same whether key j is given twice (n_j = 2, no mask) or biased by log n_j.

Shapes are ComfyUI's: q, k, v [B, N, heads * d], or [B, heads, N, d] where `axis` is 2. `attend(q,
k, v, mask)` is the attention back end; its mask is boolean (True: seen) or added to the logits.
"""

import hashlib
import math
from collections.abc import Callable

import torch

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def with_memory(
    attend: Attend,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    memory_k: torch.Tensor,
    memory_v: torch.Tensor,
    repeats: int,
    strength: float,
    kept: torch.Tensor | None,
) -> torch.Tensor:
    """Attend to the own keys and the memory. `memory_k`, `memory_v` [1, n, heads * d]; `kept` bool
    [Q, n] or None.

    Where the own tokens are repeated `repeats` times to pad them, the memory is repeated as often,
    so that padding changes nothing. Without dropout and at strength 1 there is no mask at all.
    """
    if kept is not None:
        kept = kept.repeat(1, repeats)
    bias = memory_bias(k.shape[1], repeats * memory_k.shape[1], strength, kept, q)
    return attend(q, _join(k, memory_k, repeats), _join(v, memory_v, repeats), bias)


def counted_again(
    attend: Attend,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: torch.Tensor | None,
    positions: torch.Tensor,
    strength: float,
    kept: torch.Tensor | None,
    axis: int,
) -> torch.Tensor:
    """Attend with the keys at `positions` (int64 [n]) counted 1 + strength times.

    `mask` is the model's own, or None; `kept` is a dropout mask, bool [Q, n], or None. Without
    dropout and at strength 1 the positions are given twice and no mask of ours is needed, so back
    ends that take none stay usable; at another strength the keys are biased instead. Dropout needs
    both: the positions given twice and a mask for every query.
    """
    if kept is None and strength != 1.0:
        bias = torch.zeros(1, k.shape[axis], dtype=q.dtype, device=q.device)
        bias[:, positions] = math.log1p(strength)
        return attend(q, k, v, _joined(mask, bias))
    own = k.shape[axis]
    k, v = _laid_in(k, positions, axis), _laid_in(v, positions, axis)
    if mask is not None and mask.shape[-1] == own:
        mask = _laid_in(mask, positions, mask.ndim - 1)
    weights = memory_bias(own, len(positions), strength, kept, q)
    return attend(q, k, v, mask if weights is None else _joined(mask, weights))


def memory_bias(
    own: int, memory: int, strength: float, kept: torch.Tensor | None, like: torch.Tensor
) -> torch.Tensor | None:
    """log M for `own` + `memory` keys in the dtype and on the device of `like`: None where M is 1
    everywhere.

    [1, own + memory] for a strength alone; [Q, own + memory] with a dropout mask.
    """
    if kept is None and strength == 1.0:
        return None
    queries = 1 if kept is None else kept.shape[0]
    bias = torch.zeros(queries, own + memory, dtype=like.dtype, device=like.device)
    bias[:, own:] = math.log(strength)
    if kept is not None:
        bias[:, own:].masked_fill_(~kept.to(like.device, non_blocking=True), -torch.inf)
    return bias


def dropout_kept(
    queries: int, keys: int, dropout: float, seed: int, step: int, site: tuple[str | int, ...]
) -> torch.Tensor:
    """Bernoulli(1 - dropout) per query and key: bool [queries, keys], True where the key is kept.

    Drawn on the CPU from only seed, step and site: the same for every row of a batch, on every
    device, in every run.
    """
    digest = hashlib.blake2b(repr((seed, step, site)).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.rand(queries, keys, generator=generator) >= dropout


def _join(own: torch.Tensor, memory: torch.Tensor, repeats: int) -> torch.Tensor:
    return torch.cat([own, memory.expand(own.shape[0], -1, -1).repeat(1, repeats, 1)], dim=1)


def _laid_in(tensor: torch.Tensor, positions: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.cat([tensor, tensor.index_select(axis, positions)], dim=axis)


def _joined(mask: torch.Tensor | None, bias: torch.Tensor) -> torch.Tensor:
    """A mask with our bias [1 or Q, K] added to its logits, at least three-dimensional as every
    back end takes it.
    """
    if mask is None:
        return bias.unsqueeze(0)
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=bias.dtype).masked_fill_(~mask, -torch.inf)
    return mask + bias
