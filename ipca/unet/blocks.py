"""Block names as diffusers gives them, read off the UNet itself.

down{level}, mid, up{levels-1-level}: level 0 is the full latent resolution, up0 is the deepest
level of the way up. A site is one attn2, keyed as ComfyUI keys its patches: ("input" | "middle" |
"output", block id, transformer index).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

from ...errors import InputError

if TYPE_CHECKING:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

Site = tuple[str, int, int]


def attention_sites(unet: UNetModel) -> dict[str, dict[Site, nn.Module]]:
    """Every attn2 of a ComfyUI UNetModel by block name, in the order in which they run."""
    named: dict[str, dict[Site, nn.Module]] = {}
    level = 0
    for number, block in enumerate(unet.input_blocks):
        named.setdefault(f"down{level}", {}).update(_sites_of(block, "input", number))
        level += _changes_resolution(block)
    levels = level + 1
    if unet.middle_block is not None:
        named["mid"] = dict(_sites_of(unet.middle_block, "middle", 0))
    for number, block in enumerate(unet.output_blocks):
        named.setdefault(f"up{levels - 1 - level}", {}).update(_sites_of(block, "output", number))
        level -= _changes_resolution(block)
    return {name: sites for name, sites in named.items() if sites}


def sites_of(unet: UNetModel) -> dict[Site, nn.Module]:
    """Every attn2 of a UNet by its site, in the order in which they run."""
    return {
        site: attn2 for sites in attention_sites(unet).values() for site, attn2 in sites.items()
    }


def chosen_sites(unet: UNetModel, blocks: str) -> list[Site]:
    """The sites that the node's `blocks` text names: presets (`all`, `coarse`, `fine`) and names
    like `down2, mid, up0`.
    """
    available = attention_sites(unet)
    presets = preset_blocks(list(available))
    names = re.findall(r"[^\s,;]+", blocks.lower())
    have = (
        f"This model has cross-attention in: {', '.join(available)}. Name some of these, or"
        f" {', '.join(presets)}"
    )
    if not names:
        raise InputError("blocks", "names no block", have)
    missing = [name for name in names if name not in available and name not in presets]
    if missing:
        raise InputError(
            "blocks", f"{', '.join(missing)} has no cross-attention in this model", have
        )
    chosen = {block for name in names for block in presets.get(name, [name])}
    return [site for name, sites in available.items() if name in chosen for site in sites]


def preset_blocks(available: list[str]) -> dict[str, list[str]]:
    """What `all`, `coarse` and `fine` mean among blocks in running order.

    Coarse are the middle and the blocks next to it: the deepest down and the deepest up block with
    cross-attention. Fine are the others. A UNet that has nothing but coarse blocks has no fine
    ones, and so no such preset.
    """
    downs = [name for name in available if name.startswith("down")]
    ups = [name for name in available if name.startswith("up")]
    coarse = [name for name in available if name == "mid" or name in downs[-1:] or name in ups[:1]]
    fine = [name for name in available if name not in coarse]
    return {
        name: blocks
        for name, blocks in (("all", available), ("coarse", coarse), ("fine", fine))
        if blocks
    }


def has_text_cross_attention(model: Any) -> bool:
    """Whether `model` is an image UNet of ComfyUI's with at least one attn2 on text (SDXL family,
    SD1.x, SD2.x).
    """
    if not all(hasattr(model, part) for part in ("input_blocks", "middle_block", "output_blocks")):
        return False
    video = any(hasattr(module, "time_stack") for module in model.modules())
    return not video and bool(attention_sites(model))


def _sites_of(
    block: Iterable[nn.Module], place: str, number: int
) -> Iterator[tuple[Site, nn.Module]]:
    for layer in block:
        for index, transformer in enumerate(getattr(layer, "transformer_blocks", ())):
            if getattr(transformer, "attn2", None) is not None:
                yield (place, number, index), transformer.attn2


def _changes_resolution(block: Iterable[nn.Module]) -> int:
    """1 for a block that halves or doubles the resolution: a Downsample or Upsample layer, or a
    ResBlock that does it.
    """
    return int(
        any(
            type(layer).__name__ in ("Downsample", "Upsample") or getattr(layer, "updown", False)
            for layer in block
        )
    )
