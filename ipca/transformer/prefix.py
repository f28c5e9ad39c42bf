"""Qwen-Image 2.1: a prefix of text and references that never reads the picture, and a target that
reads both.

The text's calls have a mask of their own, a reference's read what is before it, and only the
target's have all keys:

    q [B, target, heads * d]   k, v [B, text + references + target, heads * d]

So queries are fewer than keys. The prefix depends on neither picture nor step, and ComfyUI may keep
its keys and values for a whole run: only the target's calls are weighted, and what is kept stays
what it was.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .override import MemoryCall


@dataclass(frozen=True)
class Prefix:
    """`text` positions, and a `target` of so many tokens after it. `references` are (slot, tokens):
    each is spliced in before the text's position `slot`, in this order.
    """

    text: int
    target: int
    references: tuple[tuple[int, int], ...] = ()

    @property
    def keys(self) -> int:
        return self.text + sum(tokens for _, tokens in self.references) + self.target

    def keys_at(self, places: torch.Tensor) -> torch.Tensor:
        """Among the keys, the text's positions `places`, int64 [n]."""
        return places + sum(
            (tokens * (places >= slot) for slot, tokens in self.references),
            torch.zeros_like(places),
        )


def prefix_of(x: torch.Tensor, text: int, given: Mapping[str, Any]) -> Prefix:
    """The prefix of a call with latents `x` [B, C, .., H, W] in patches of 1. `given` are the
    call's other keywords.

    ComfyUI's `ref_latents` are spliced in at `image_slots`, and after the text where there are
    fewer slots.
    """
    sizes = [math.prod(latent.shape[-2:]) for latent in given.get("ref_latents") or ()]
    slots = [int(slot) for slot in given.get("image_slots") or ()] + [text] * len(sizes)
    return Prefix(text, math.prod(x.shape[-2:]), tuple(zip(slots, sizes)))


class PrefixCall(MemoryCall):
    """One model call whose target reads `prefix`."""

    def __init__(self, prefix: Prefix, *args: Any):
        super().__init__(*args)
        self.prefix = prefix
        self.positions = {
            target: prefix.keys_at(places) for target, places in self.positions.items()
        }
        self.scaling = self.scaling.moved(prefix.keys_at)

    def _is_ours(self, queries: int, keys: int) -> bool:
        return (queries, keys) == (self.prefix.target, self.prefix.keys)
