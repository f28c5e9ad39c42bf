"""What one UNet call hands to its attn2 sites: decided once before the call, gone after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .attention import dropout_kept, with_memory
from .blocks import Site
from .schedule import Run
from .settings import Settings

Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, Mapping], torch.Tensor]


@dataclass(frozen=True)
class Call:
    """One UNet call. `runs` cover its `rows`; empty when IPCA is off at this step or no row carries the identity.

    `attn2` are the chosen sites' modules; `memories`, each [1, n, C], are those that the runs name, on the call's device
    in its dtype; `patches` are the attn2 replace patches that ComfyUI sees at this call, by key.
    """

    settings: Settings
    attn2: Mapping[Site, nn.Module]
    memories: tuple[torch.Tensor, ...]
    runs: tuple[Run, ...]
    rows: int
    step: int
    sigma: float
    patches: Mapping[tuple, Callable]

    def is_on(self, site: Site) -> bool:
        return bool(self.runs) and site in self.attn2

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, attention: Attention, options: Mapping, site: Site) -> torch.Tensor:
        """Attention of all rows, those that carry the identity with the memory. Shapes as in `attention.py`."""
        with_run = self._memory_attention(q, attention, options, site)
        parts = [with_run(run, q, k, v) if run.repeats else _rows(attention, run, q, k, v, options) for run in self.runs]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def residual(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, attention: Attention, options: Mapping, site: Site
    ) -> torch.Tensor:
        """Attention with the memory less attention without, on the rows that carry the identity; 0 on the others."""
        with_run = self._memory_attention(q, attention, options, site)
        parts = []
        for run in self.runs:
            if run.repeats:
                parts.append(with_run(run, q, k, v) - _rows(attention, run, q, k, v, options))
            else:
                parts.append(torch.zeros_like(q[run.start : run.stop]))
        return torch.cat(parts)

    def _memory_attention(self, q: torch.Tensor, attention: Attention, options: Mapping, site: Site) -> Callable:
        attn2: Any = self.attn2[site]
        settings = self.settings
        projected = [(attn2.to_k(memory), attn2.to_v(memory), self._kept(q, memory, site)) for memory in self.memories]

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
            return attention(q, k, v, mask, options)

        def run_with_memory(run: Run, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            rows = slice(run.start, run.stop)
            memory_k, memory_v, kept = projected[run.memory]
            return with_memory(attend, q[rows], k[rows], v[rows], memory_k, memory_v, run.repeats, settings.strength, kept)

        return run_with_memory

    def _kept(self, q: torch.Tensor, memory: torch.Tensor, site: Site) -> torch.Tensor | None:
        settings = self.settings
        if settings.dropout == 0:
            return None
        return dropout_kept(q.shape[1], memory.shape[1], settings.dropout, settings.dropout_seed, self.step, site)


def _rows(attention: Attention, run: Run, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Mapping) -> torch.Tensor:
    rows = slice(run.start, run.stop)
    return attention(q[rows], k[rows], v[rows], None, options)
