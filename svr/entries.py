"""SVR on a CONDITIONING's entry: each text encoder's part of it is reweighted separately."""

from dataclasses import dataclass

import torch

from ..errors import InputError
from ..families import SECOND_TEXT
from .encode import Entry
from .layout import Layout
from .parts import Part
from .reweight import Weights, express, factors, scale_of, without_sinks


@dataclass(frozen=True)
class Reweighting:
    """What is done to every frame's prompt: the two strengths, and whether the end of text is left
    out (mode svr-eot).
    """

    enhance: Weights
    weaken: Weights
    eot_apart: bool

    def embeds(
        self,
        embeds: torch.Tensor,
        layout: Layout,
        expressed: int,
        kept: tuple[int, ...],
        scale: float,
    ) -> torch.Tensor:
        """One encoder's embeddings [T, d], reweighted for the frame with phrase `expressed`."""
        return express(
            embeds, layout, expressed, self.enhance, self.weaken, self.eot_apart, kept, scale
        )

    def factors(
        self, layout: Layout, expressed: int, kept: tuple[int, ...]
    ) -> tuple[tuple[int, float], ...]:
        """The same without the alphas, as factors on keys and values."""
        return factors(layout, expressed, self.enhance, self.weaken, self.eot_apart, kept)


def reweighting_for(mode: str, enhance: Weights, weaken: Weights) -> Reweighting | None:
    """The reweighting that a mode of the node names: svr, svr-eot, or None for original."""
    return None if mode == "original" else Reweighting(enhance, weaken, eot_apart=mode == "svr-eot")


def reweight_entry(
    entry: Entry,
    parts: tuple[Part, ...],
    expressed: int,
    kept: tuple[int, ...],
    reweighting: Reweighting | None,
) -> Entry:
    """One frame's entry: a copy with phrase `expressed` turned up and all but the `kept` ones down;
    None: as it is.

    InputError where that is not finite.
    """
    cond, extra = entry
    if reweighting is None:
        return [cond, extra]
    out, second = cond.clone(), extra.get(SECOND_TEXT)
    if second is not None:
        second = second.clone()
        extra = {**extra, SECOND_TEXT: second}
    for part in parts:
        for prompt in (
            second[0] if part.second else out
        ):  # [T, features]; the second tensor has one for each layer
            embeds, layout, scale = prompt[:, part.features], part.layout, 1.0
            if not part.is_tower:
                scale = scale_of(embeds, layout)
                layout = without_sinks(embeds, layout, scale)
            prompt[:, part.features] = reweighting.embeds(embeds, layout, expressed, kept, scale)
    if not all(torch.isfinite(tensor).all() for tensor in (out, second) if tensor is not None):
        raise InputError(
            "enhance_alpha",
            "the reweighted embedding is not finite",
            "Use smaller alphas and betas; 0.001 to 0.02 is useful for enhance_alpha",
        )
    return [out, extra]
