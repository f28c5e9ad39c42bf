"""Puts IPCA on a clone of a UNet's MODEL and takes it off again. Knows ComfyUI, as `joint/install.py` does for transformers."""

from collections.abc import Mapping
from typing import Any

import comfy.ldm.modules.attention
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP, WrappersMP

from .blocks import attention_sites, chosen_sites, has_text_cross_attention
from .memory import Memories
from .settings import Settings
from .site import IPCASite
from .wrappers import IPCA

KEY = "one_prompt_one_story.ipca"


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, extra_options: Mapping) -> torch.Tensor:
    """ComfyUI's attention back end, with everything that overrides and precision settings need."""
    # Looked up at every call: the back end is a module global that ComfyUI chooses at start.
    return comfy.ldm.modules.attention.optimized_attention(
        q, k, v, extra_options["n_heads"], mask=mask, attn_precision=extra_options.get("attn_precision"), transformer_options=extra_options
    )


def install(model: ModelPatcher, memories: Memories, settings: Settings) -> ModelPatcher:
    """A clone of the ModelPatcher `model` with IPCA on its chosen sites, in place of an earlier IPCA."""
    unet = model.get_model_object("diffusion_model")
    sites = chosen_sites(unet, settings.blocks)
    patched = uninstall(model)
    ipca = IPCA(memories, settings)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, ipca.around_unet)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, ipca.around_run)
    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, KEY, ipca.around_sampler)
    patched.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _give_clone_its_own_sites)
    one_each = _has_one_transformer_per_block(unet)
    for place, number, index in sites:
        patches = _attn2_patches(patched)
        whole_block = one_each and (place, number, index) not in patches
        key = (place, number) if whole_block else (place, number, index)
        if not isinstance(patches.get(key), IPCASite):
            site = IPCASite(attention, whole_block, previous=patches.get(key))
            patched.set_model_attn2_replace(site, place, number, None if whole_block else index)
    return patched


def uninstall(model: ModelPatcher) -> ModelPatcher:
    """A clone of `model` without IPCA. Sites that host a neighbour's callbacks stay as plain hosts."""
    clone = model.clone()
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.OUTER_SAMPLE, WrappersMP.SAMPLER_SAMPLE):
        clone.remove_wrappers_with_key(kind, KEY)
    clone.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
    kept = {}
    for key, patch in _attn2_patches(clone).items():
        if isinstance(patch, IPCASite):
            patch = patch.copy() if patch.callbacks else patch.previous
        if patch is not None:
            kept[key] = patch
    _set_attn2_patches(clone, kept)
    return clone


def is_installed(model: ModelPatcher) -> bool:
    return bool(model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY))


def unet_of(model: ModelPatcher) -> UNetModel | None:
    """The model's UNet, if it is one with text cross-attention."""
    unet = model.get_model_object("diffusion_model")
    return unet if has_text_cross_attention(unet) else None


def context_width(unet: UNetModel) -> int:
    """How wide the text embedding is that the UNet's cross-attention reads."""
    attn2: Any = next(iter(next(iter(attention_sites(unet).values())).values()))
    return attn2.to_k.in_features


def _has_one_transformer_per_block(unet: UNetModel) -> bool:
    """As SD1.x and SD2.x have: there IPAdapter and its kin key a site by its block. In the SDXL family they key every site by its
    transformer, also where a block has but one (Vega, SSD-1B), and ComfyUI would take such a key before ours."""
    return all(index == 0 for sites in attention_sites(unet).values() for _, _, index in sites)


def _attn2_patches(patcher: ModelPatcher) -> dict:
    return patcher.model_options.get("transformer_options", {}).get("patches_replace", {}).get("attn2", {})


def _set_attn2_patches(patcher: ModelPatcher, patches: dict) -> None:
    options = dict(patcher.model_options.get("transformer_options", {}))
    if "attn2" in options.get("patches_replace", {}):
        options["patches_replace"] = {**options["patches_replace"], "attn2": patches}
        patcher.model_options["transformer_options"] = options


def _give_clone_its_own_sites(patcher: ModelPatcher, clone: ModelPatcher) -> None:
    """ON_CLONE: cores that share patch objects between clones would let a neighbour's `.add` reach the original."""
    _set_attn2_patches(clone, {key: patch.copy() if isinstance(patch, IPCASite) else patch for key, patch in _attn2_patches(clone).items()})
