"""SVR on a CONDITIONING's entry: each text encoder's part of it is reweighted separately."""

from collections.abc import Callable

import torch

from ..errors import InputError
from ..families import SECOND_TEXT
from .encode import Entry
from .layout import Layout
from .parts import Part
from .reweight import Weights, express, scale_of, without_sinks

# (embeds [T, d], layout, expressed phrase, kept phrases, scale) -> embeds [T, d]
Reweighting = Callable[[torch.Tensor, Layout, int, tuple[int, ...], float], torch.Tensor]


def reweighting_for(mode: str, enhance: Weights, weaken: Weights) -> Reweighting | None:
    """The reweighting that a mode of the node names: svr, svr-eot, or None for original."""
    if mode == "original":
        return None
    return lambda embeds, layout, expressed, kept, scale: express(
        embeds, layout, expressed, enhance, weaken, mode == "svr-eot", kept, scale
    )


def reweight_entry(entry: Entry, parts: tuple[Part, ...], expressed: int, kept: tuple[int, ...], reweighting: Reweighting | None) -> Entry:
    """One frame's entry: a copy with phrase `expressed` turned up and all but the `kept` ones down; None: as it is.

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
        for prompt in second[0] if part.second else out:  # [T, features]; the second tensor has one for each layer
            embeds, layout, scale = prompt[:, part.features], part.layout, 1.0
            if not part.is_tower:
                scale = scale_of(embeds, layout)
                layout = without_sinks(embeds, layout, scale)
            prompt[:, part.features] = reweighting(embeds, layout, expressed, kept, scale)
    if not all(torch.isfinite(tensor).all() for tensor in (out, second) if tensor is not None):
        raise InputError(
            "enhance_alpha",
            "the reweighted embedding is not finite",
            "Use smaller alphas and betas; 0.001 to 0.02 is useful for enhance_alpha",
        )
    return [out, extra]
