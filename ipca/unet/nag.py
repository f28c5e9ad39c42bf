"""ComfyUI-NAG's own sampler node: refused, and what it leaves in a UNet is taken out.

It adds the negative's prompts after the others, for an attention of its own. Before its run it puts
a forward of its own on the UNet, and takes it off again only where nothing was raised. Refusing it,
or cancelling its run, would leave that forward there for every later run of any node.
"""

from typing import Any

import torch

from ...errors import InputError
from ...log import warn_rarely

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
        raise InputError(
            "model",
            "ComfyUI-NAG's own sampler node gives cross-attention more prompts than there are"
            " pictures, which only its own attention can read",
            "Use ComfyUI's NAGuidance node instead, or leave out IPCA Patch",
        )
    warn_rarely(TAKEN_OUT)


def _is_nags(module: torch.nn.Module) -> bool:
    """Whether this very module has a forward of one of ComfyUI-NAG's classes, bound or partial."""
    function = getattr(vars(module).get("forward"), "__func__", None)
    function = getattr(function, "func", function)
    return getattr(function, "__qualname__", "").startswith("NAG")
