"""Lists of latents: those that belong together become one batch."""

from typing import Any

import torch

from ..errors import InputError
from .companions import items_by_number
from .cut import Latent


def in_turn(lists: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The inputs of each run over these lists, as ComfyUI runs a node: short ones repeat their
    last.

    An empty list is an input that nothing is connected to.
    """
    runs = range(max(map(len, lists.values())))
    filled = {name: values for name, values in lists.items() if values}
    return [
        {name: values[min(run, len(values) - 1)] for name, values in filled.items()} for run in runs
    ]


def with_latents(runs: list[dict[str, Any]], latents: list[Latent]) -> list[dict[str, Any]]:
    """`runs` of Story Batch, each with its "latent" where there are any.

    One latent is for all runs, and as many as runs are one for each. Any others belong together and
    are one batch for all runs, unless there is one run and each of them is a whole batch for it:
    these run one after the other. Raises InputError where latents do not join.
    """
    if not latents:
        return runs
    if len(latents) in (1, len(runs)):
        each = latents * len(runs) if len(latents) == 1 else latents
        return [{**run, "latent": latent} for run, latent in zip(runs, each)]
    story = runs[0]["story"]
    whole = set(items_by_number(len(story.frames), story.told))
    numbers = [latent["samples"].shape[0] for latent in latents]
    if len(runs) == 1 and set(numbers) <= whole and sum(numbers) not in whole:
        return [{**runs[0], "latent": latent} for latent in latents]
    return [{**run, "latent": joined(latents)} for run in runs]


def joined(latents: list[Latent]) -> Latent:
    """One batch of all latents, in order. Where only some have a noise mask the rest are
    painted.
    """
    samples = _joined([latent["samples"] for latent in latents], "latents")
    out = {**latents[0], "samples": samples}
    masks = [latent.get("noise_mask") for latent in latents]
    some = next((mask for mask in masks if mask is not None), None)
    if some is not None:
        empty = torch.ones_like(_in_batch(some)[:1])
        filled = [empty if mask is None else _in_batch(mask) for mask in masks]
        each = [
            mask.expand(latent["samples"].shape[0], *mask.shape[1:]) if mask.shape[0] == 1 else mask
            for mask, latent in zip(filled, latents)
        ]
        out["noise_mask"] = _joined(each, "noise masks")
    return out


def _in_batch(mask: torch.Tensor) -> torch.Tensor:
    return mask if mask.ndim > 2 else mask.unsqueeze(0)


def _joined(tensors: list[torch.Tensor], what: str) -> torch.Tensor:
    sizes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
    if len(sizes) > 1:
        shown = " and ".join("x".join(map(str, size)) for size in sizes[:2])
        remedy = "Connect a list of one size, or one batch"
        raise InputError("latent", f"the {what} of the list have the sizes {shown}", remedy)
    return torch.cat(tensors)
