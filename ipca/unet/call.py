"""What one UNet call hands to its attn2 sites: decided once before the call, dropped after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import comfy.ldm.modules.attention as core
import torch
from torch import nn

from ..attention import Attend, with_memory
from ..backend import Probe, honouring_masks
from ..names import OVERRIDE
from ..plan import RowGroup, Tally
from ..settings import Settings
from .blocks import Site

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Remembered:
    """A row's target: number `memory` of the call's memories, repeated `repeats` times."""

    memory: int
    repeats: int


@dataclass(frozen=True)
class UNetCall:
    """One UNet call. `groups` cover its rows; empty where no row attends to a memory in it.

    `attn2` are the chosen sites' modules; `memories`, each [1, n, C], are on the call's device in
    its dtype; `patches` are the attn2 replace patches that ComfyUI sees at this call, by key;
    `sigmas` [B] are the call's.
    """

    settings: Settings
    attn2: Mapping[Site, nn.Module]
    memories: tuple[torch.Tensor, ...]
    groups: tuple[RowGroup[Remembered], ...]
    step: int
    patches: Mapping[tuple[str | int, ...], Callable[..., torch.Tensor]]
    sigmas: torch.Tensor | None
    tally: Tally
    probe: Probe

    def is_on(self, site: Site) -> bool:
        return bool(self.groups) and site in self.attn2

    def site_at(self, site: Site) -> Callable[..., torch.Tensor] | None:
        """What ComfyUI calls at this transformer: the patch under its own key, else under its
        block's.
        """
        return self.patches.get(site) or self.patches.get(site[:2])

    @property
    def rows(self) -> int:
        return self.groups[-1].stop if self.groups else 0

    @cached_property
    def sigma(self) -> float:
        """The call's sigma, read from the device once, and only if a neighbour's callback has a
        range.
        """
        return 0.0 if self.sigmas is None else float(self.sigmas[0])

    def attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Options, site: Site
    ) -> torch.Tensor:
        """Attention of all rows, those that carry the identity with the memory. Shapes as in
        `attention.py`.
        """
        remembering = self._with_memory(q, options, site)
        parts = [
            (
                _plain(group, q, k, v, options)
                if group.target is None
                else remembering(group, group.target, q, k, v)
            )
            for group in self.groups
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def residual(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Options, site: Site
    ) -> torch.Tensor:
        """Attention with the memory less attention without, on the rows that carry the identity; 0
        on the others.
        """
        remembering = self._with_memory(q, options, site)
        parts = [
            (
                torch.zeros_like(q[group.rows])
                if group.target is None
                else remembering(group, group.target, q, k, v) - _plain(group, q, k, v, options)
            )
            for group in self.groups
        ]
        return torch.cat(parts)

    def _with_memory(
        self, q: torch.Tensor, options: Options, site: Site
    ) -> Callable[..., torch.Tensor]:
        """`(group, target, q, k, v)` -> the group's attention, at one site."""
        attn2: Any = self.attn2[site]
        settings = self.settings
        attend = self._attention(options)
        self.tally.applied += 1
        projected = [
            (
                attn2.to_k(memory),
                attn2.to_v(memory),
                settings.kept(q.shape[1], memory.shape[1], self.step, site),
            )
            for memory in self.memories
        ]

        def remembering(
            group: RowGroup[Remembered],
            target: Remembered,
            q: torch.Tensor,
            k: torch.Tensor,
            v: torch.Tensor,
        ) -> torch.Tensor:
            rows, (memory_k, memory_v, kept) = group.rows, projected[target.memory]
            return with_memory(
                attend,
                q[rows],
                k[rows],
                v[rows],
                memory_k,
                memory_v,
                target.repeats,
                settings.strength,
                kept,
            )

        return remembering

    def _attention(self, options: Options) -> Attend:
        def own(
            q: torch.Tensor,
            k: torch.Tensor,
            v: torch.Tensor,
            mask: torch.Tensor | None,
            **more: Any,
        ) -> torch.Tensor:
            return attention(q, k, v, mask, options, **more)

        if not self.settings.needs_mask:
            return own

        def pytorch(
            q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
        ) -> torch.Tensor:
            out: torch.Tensor = core.attention_pytorch(q, k, v, options["n_heads"], mask=mask)
            return out

        backend = (core.optimized_attention, options.get(OVERRIDE))
        return honouring_masks(own, pytorch, backend, self.probe)


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: torch.Tensor | None,
    options: Options,
    **more: Any,
) -> torch.Tensor:
    """ComfyUI's attention back end, with everything that overrides and precision settings need."""
    # Looked up at every call: the back end is a module global that ComfyUI chooses at start.
    out: torch.Tensor = core.optimized_attention(
        q,
        k,
        v,
        options["n_heads"],
        mask=mask,
        attn_precision=options.get("attn_precision"),
        transformer_options=options,
        **more,
    )
    return out


def _plain(
    group: RowGroup[Remembered], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Options
) -> torch.Tensor:
    return attention(q[group.rows], k[group.rows], v[group.rows], None, options)
