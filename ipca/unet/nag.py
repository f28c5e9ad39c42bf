"""ComfyUI-NAG's own sampler node: refused, and what it leaves in a UNet is taken out.

It adds the negative's prompts after the others, for an attention of its own. Before its run it puts
a forward of its own on the UNet, and takes it off again only where nothing was raised. Refusing it,
or cancelling its run, would leave that forward there for every later run of any node.
"""

from typing import Any

import torch

from ...errors import InputError, reported_by
from ...log import warn_rarely
from ..names import NODE

TAKEN_OUT = (
    "IPCA Patch: a run of ComfyUI-NAG's sampler node that ended early had left its attention in the"
    " model. It is taken out."
)


def require_no_nag(unet: torch.nn.Module, guider: Any) -> None:
    """Take ComfyUI-NAG's forwards off a UNet. Raises InputError where its own guider samples now.

    `unet` is the run's diffusion model, compiled or not.
    """
    unet = getattr(unet, "_orig_mod", unet)
    if not _is_nags(unet):
        return
    for module in filter(_is_nags, list(unet.modules())):
        del module.forward
    if hasattr(guider, "nag_negative_cond"):
        raise _refusal("ComfyUI-NAG's own sampler node", "more prompts than there are pictures")
    warn_rarely(TAKEN_OUT)


def require_a_prompt_per_picture(q: torch.Tensor, k: torch.Tensor) -> None:
    """Raises ValueError where cross-attention has queries `q` [B, ..] and keys `k` [P, ..] of
    another number of rows: the negative's prompts have been added to the others.
    """
    if q.shape[0] != k.shape[0]:
        with reported_by(NODE):
            raise _refusal(
                "another node (ComfyUI-NAG's KSampler With NAG?)",
                f"{k.shape[0]} prompts for {q.shape[0]} pictures",
            )


def _refusal(node: str, prompts: str) -> InputError:
    return InputError(
        "model",
        f"{node} gives cross-attention {prompts}, which only its own attention can read",
        "Use ComfyUI's NAGuidance node instead, or leave out IPCA Patch",
    )


def _is_nags(module: torch.nn.Module) -> bool:
    """Whether this very module has a forward of one of ComfyUI-NAG's classes, bound or partial."""
    function = getattr(vars(module).get("forward"), "__func__", None)
    function = getattr(function, "func", function)
    return getattr(function, "__qualname__", "").startswith("NAG")
