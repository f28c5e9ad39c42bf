"""Our replace patches at a UNet's attn2 sites: on a clone of its MODEL, and off again."""

from collections.abc import Callable, Collection
from typing import Any

from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP

from ..names import KEY
from .blocks import Site, attention_sites, sites_of
from .site import IPCASite

Patches = dict[tuple[str | int, ...], Callable[..., Any]]


def put_on_sites(patched: ModelPatcher, unet: UNetModel, sites: Collection[Site]) -> None:
    """Put ours at every one of `sites`, around whatever is there."""
    patched.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _give_clone_its_own_sites)
    one_each = _has_one_transformer_per_block(unet)
    for place, number, index in sites:
        patches = _attn2_patches(patched)
        whole_block = one_each and (place, number, index) not in patches
        key = (place, number) if whole_block else (place, number, index)
        if not isinstance(patches.get(key), IPCASite):
            site = IPCASite(whole_block, previous=patches.get(key))
            patched.set_model_attn2_replace(site, place, number, None if whole_block else index)


def with_sites_everywhere(patches: Patches, unet: UNetModel) -> Patches:
    """`patches` with a site of ours wherever there is none, which attends as if nothing were
    installed.

    For torch.compile: code that was compiled for a block with a site may be used again for any
    other block.
    """
    one_each = _has_one_transformer_per_block(unet)
    free = [site for site in sites_of(unet) if site not in patches and site[:2] not in patches]
    return {**{site[:2] if one_each else site: IPCASite(one_each) for site in free}, **patches}


def take_off_sites(clone: ModelPatcher) -> None:
    """Take ours off. Those that host a neighbour's callbacks stay as plain hosts."""
    clone.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
    kept = {}
    for key, patch in _attn2_patches(clone).items():
        left: Callable[..., Any] | None = patch
        if isinstance(patch, IPCASite):
            left = patch.copy() if patch.callbacks else patch.previous
        if left is not None:
            kept[key] = left
    _set_attn2_patches(clone, kept)


def _has_one_transformer_per_block(unet: UNetModel) -> bool:
    """As SD1.x and SD2.x have: there IPAdapter and related packs key a site by its block. In the
    SDXL family they key every site by its transformer, also where a block has but one (Vega,
    SSD-1B), and ComfyUI would take such a key before ours.
    """
    return all(index == 0 for sites in attention_sites(unet).values() for _, _, index in sites)


def _attn2_patches(patcher: ModelPatcher) -> Patches:
    options = patcher.model_options.get("transformer_options", {})
    patches: Patches = options.get("patches_replace", {}).get("attn2", {})
    return patches


def _set_attn2_patches(patcher: ModelPatcher, patches: Patches) -> None:
    options = dict(patcher.model_options.get("transformer_options", {}))
    if "attn2" in options.get("patches_replace", {}):
        options["patches_replace"] = {**options["patches_replace"], "attn2": patches}
        patcher.model_options["transformer_options"] = options


def _give_clone_its_own_sites(patcher: ModelPatcher, clone: ModelPatcher) -> None:
    """ON_CLONE: cores that share patch objects between clones would let a neighbour's `.add` reach
    the original.
    """
    patches = _attn2_patches(clone)
    own = {
        key: patch.copy() if isinstance(patch, IPCASite) else patch
        for key, patch in patches.items()
    }
    _set_attn2_patches(clone, own)
