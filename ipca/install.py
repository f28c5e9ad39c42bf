"""Puts IPCA on a clone of a MODEL and takes it off again."""

from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from .names import KEY
from .unet.install import take_off_sites
from .wrappers import Side, Wrappers

KINDS = (WrappersMP.OUTER_SAMPLE, WrappersMP.SAMPLER_SAMPLE, WrappersMP.APPLY_MODEL)


def install(model: ModelPatcher, side: Side[Any], node_id: str | None = None) -> ModelPatcher:
    """A clone of `model` with IPCA, in place of an earlier one. Warnings are shown on the node with
    `node_id`.
    """
    patched = uninstall(model)
    wrappers = Wrappers(side, node_id)
    around = (wrappers.around_run, wrappers.around_sampler, wrappers.around_model)
    for kind, wrapper in zip(KINDS, around):
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    side.put_on(patched)
    return patched


def uninstall(model: ModelPatcher) -> ModelPatcher:
    """A clone of `model` without IPCA."""
    clone = model.clone()
    for kind in KINDS:
        clone.remove_wrappers_with_key(kind, KEY)
    take_off_sites(clone)
    return clone


def is_installed(model: ModelPatcher) -> bool:
    return bool(model.get_wrappers(WrappersMP.APPLY_MODEL, KEY))
