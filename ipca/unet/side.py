"""IPCA on one UNet: what its frames remember, and which attn2 sites attend to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher

from ...errors import InputError
from ...story.rows import rows_of
from ..names import CALL_KEY
from ..plan import Cond, Conds, groups_of
from ..settings import Settings
from ..text import speaking
from ..wrappers import ModelCall
from .blocks import Site, attention_sites, has_text_cross_attention, sites_of
from .call import Remembered, UNetCall
from .install import put_on_sites, with_sites_everywhere
from .memory import Memories, Memory, recognised, repeats
from .nag import require_no_nag


@dataclass(frozen=True)
class Target:
    """What a row attends to: a memory, as often as its text repeats a prompt of `length` tokens."""

    memory: Memory
    length: int


@dataclass(frozen=True, eq=False)
class UNetSide:
    """`sites` are the chosen attn2 sites, in the UNet's running order."""

    memories: Memories
    sites: Sequence[Site]
    settings: Settings

    def put_on(self, patched: ModelPatcher) -> None:
        put_on_sites(patched, patched.get_model_object("diffusion_model"), self.sites)

    def require_own_attention(self, model: torch.nn.Module, guider: Any) -> None:
        require_no_nag(model, guider)

    def targets(self, conds: Conds) -> dict[UUID, tuple[Target | None, ...]]:
        """A conditioning that has lost its record is recognised by its embeddings, which a causal
        CLIP makes equal to the memory's. Where none of the run came from the story, every positive
        row gets the whole identity.
        """
        remembered = {
            cond["uuid"]: self._memories_of(cond) for found in conds.values() for cond in found
        }
        if not any(any(rows) for rows in remembered.values()):
            for cond in conds.get("positive", ()):
                remembered[cond["uuid"]] = [self.memories.whole] * len(remembered[cond["uuid"]])
        return {
            cond["uuid"]: self._with_lengths(cond, remembered[cond["uuid"]])
            for found in conds.values()
            for cond in found
        }

    def when_off(self, target: Target) -> None:
        return None

    def options_for(self, call: ModelCall[Target]) -> dict[str, Any]:
        """Also where no row has a target: a site may host a neighbour's callbacks."""
        targets = call.targets if any(call.targets) else []
        memories = list(dict.fromkeys(target.memory for target in targets if target))
        length = call.text.shape[1]
        remembered = [
            (
                Remembered(memories.index(target.memory), max(1, length // target.length))
                if target
                else None
            )
            for target in targets
        ]
        groups = groups_of(remembered)
        modules = sites_of(call.model) if groups else {}
        options = call.options
        if call.compiled:
            replaced = options.get("patches_replace", {})
            patches = with_sites_everywhere(replaced.get("attn2", {}), call.model)
            options = {**options, "patches_replace": {**replaced, "attn2": patches}}
        unet_call = UNetCall(
            settings=self.settings,
            attn2={site: modules[site] for site in self.sites if groups},
            memories=tuple(
                memory.embeds.to(call.x.device, call.dtype, non_blocking=True).unsqueeze(0)
                for memory in memories
            ),
            groups=groups,
            step=call.step,
            patches=options.get("patches_replace", {}).get("attn2", {}),
            sigmas=call.options.get("sigmas"),
            tally=call.tally,
            probe=call.probe,
        )
        return {**options, CALL_KEY: unet_call}

    def _memories_of(self, cond: Cond) -> list[Memory | None]:
        text: torch.Tensor | None = cond.get("cross_attn")
        if text is None:
            return [None]
        self._check_width(text)
        rows = rows_of(cond, len(text))
        if rows is None or any(self.memories.of(row) is None for row in rows):
            return recognised(text, self.memories.every())
        return [
            self.memories.of(row) if speaks else None for row, speaks in zip(rows, speaking(text))
        ]

    def _with_lengths(
        self, cond: Cond, memories: Sequence[Memory | None]
    ) -> tuple[Target | None, ...]:
        if not any(memories):
            return (None,) * len(memories)
        text: torch.Tensor = cond["cross_attn"]
        counts = repeats(text, len(self.memories.whole.positions))
        return tuple(
            Target(memory, text.shape[1] // count) if memory else None
            for memory, count in zip(memories, counts)
        )

    def _check_width(self, text: torch.Tensor) -> None:
        expected = self.memories.whole.embeds.shape[1]
        if text.shape[-1] != expected:
            raise InputError(
                "clip",
                f"a prompt of this run is {text.shape[-1]} wide but the model's cross-attention"
                f" reads {expected}",
                "Encode every prompt, also SVR Reweight's, with the CLIP of the model's checkpoint",
            )


def unet_of(model: ModelPatcher) -> UNetModel | None:
    """The model's UNet, if it is one with text cross-attention."""
    unet = model.get_model_object("diffusion_model")
    return unet if has_text_cross_attention(unet) else None


def context_width(unet: UNetModel) -> int:
    """How wide the text embedding is that the UNet's cross-attention reads."""
    attn2: Any = next(iter(next(iter(attention_sites(unet).values())).values()))
    width: int = attn2.to_k.in_features
    return width
