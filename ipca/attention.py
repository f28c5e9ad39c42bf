"""Attention with a memory, One-Prompt-One-Story (arXiv 2501.13554), section 3.3.

    K+ = [K ; K_id]   V+ = [V ; V_id]   out = softmax(Q K+^T / sqrt(d) + log M) V+

M is 1 on the frame's own keys. On the memory it is strength times a Bernoulli(1 - dropout) mask per query and key.
Shapes are ComfyUI's at attn2: q [B, Q, heads * d], k and v [B, K, heads * d]. `attend(q, k, v, mask)` is the attention
back end; its mask is added to the logits and may be None, [1, K+] or [Q, K+].
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
    """Attend to the own keys and the memory. `memory_k`, `memory_v` [1, n, heads * d]; `kept` bool [Q, n] or None.

    Where the own tokens are laid `repeats` times to pad them, the memory is laid as often, so that padding changes
    nothing. Without dropout and at strength 1 there is no mask at all.
    """
    if kept is not None:
        kept = kept.repeat(1, repeats)
    bias = memory_bias(k.shape[1], repeats * memory_k.shape[1], strength, kept, q)
    return attend(q, _join(k, memory_k, repeats), _join(v, memory_v, repeats), bias)


def memory_bias(own: int, memory: int, strength: float, kept: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor | None:
    """log M for `own` + `memory` keys in the dtype and on the device of `like`: None where M is 1 everywhere.

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


def dropout_kept(queries: int, keys: int, dropout: float, seed: int, step: int, site: tuple) -> torch.Tensor:
    """Bernoulli(1 - dropout) per query and key: bool [queries, keys], True where the key is kept.

    Drawn on the CPU from seed, step and site alone: the same for every row of a batch, on every device, in every run.
    """
    digest = hashlib.blake2b(repr((seed, step, site)).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.rand(queries, keys, generator=generator) >= dropout


def _join(own: torch.Tensor, memory: torch.Tensor, repeats: int) -> torch.Tensor:
    return torch.cat([own, memory.expand(own.shape[0], -1, -1).repeat(1, repeats, 1)], dim=1)
