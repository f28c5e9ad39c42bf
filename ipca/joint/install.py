"""Puts IPCA on a clone of a transformer's MODEL and takes it off again. Knows ComfyUI."""

from collections.abc import Callable
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...errors import InputError
from ...families import FAMILIES, Family, family_of
from ..settings import Settings
from .blocks import chosen_blocks
from .wrappers import JointIPCA

KEY = "one_prompt_one_story.ipca"
KINDS = (WrappersMP.APPLY_MODEL, WrappersMP.OUTER_SAMPLE, WrappersMP.SAMPLER_SAMPLE)


def transformer_family(model: ModelPatcher) -> Family | None:
    """The family that the table has for this MODEL; None for a UNet and for what the pack does not know."""
    return family_of(type(model.model).__name__, model.get_model_object("diffusion_model"))


def require_family(model: ModelPatcher, settings: Settings) -> Family:
    """The MODEL's family, its blocks checked."""
    family = transformer_family(model)
    transformer = model.get_model_object("diffusion_model")
    if family is None:
        raise InputError(
            "model",
            f"{type(model.model).__name__} ({type(transformer).__name__}) has neither a UNet with text cross-attention nor a joint attention "
            "that is known here",
            f"Use an SDXL, SD1.x or SD2.x checkpoint, or one of {', '.join(family.name for family in FAMILIES)}",
        )
    chosen_blocks(transformer, family, settings.blocks)
    return family


def install(model: ModelPatcher, family: Family, identity: tuple[str, ...], settings: Settings) -> ModelPatcher:
    """A clone of `model` with IPCA for the story of that identity, in place of an earlier IPCA."""
    patched = uninstall(model)
    ipca = JointIPCA(family, identity, settings)
    wrappers: tuple[Callable[..., Any], ...] = (ipca.around_model, ipca.around_run, ipca.around_sampler)
    for kind, wrapper in zip(KINDS, wrappers):
        patched.add_wrapper_with_key(kind, KEY, wrapper)
    return patched


def uninstall(model: ModelPatcher) -> ModelPatcher:
    """A clone of `model` without IPCA."""
    clone = model.clone()
    for kind in KINDS:
        clone.remove_wrappers_with_key(kind, KEY)
    return clone


def is_installed(model: ModelPatcher) -> bool:
    return bool(model.get_wrappers(WrappersMP.APPLY_MODEL, KEY))
