"""What the nodes share: their sockets, where they are in the menu, and how captions come."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..machines.share import Share
from ..story.story import Story

StoryType = io.Custom("STORY")
ShareType = io.Custom("STORY_SHARE")
CATEGORY = "story"


def story_schema(
    *,
    inputs: list[io.Input],
    search_aliases: list[str],
    advanced: Sequence[str] = (),
    **declared: Any,
) -> io.Schema:
    """A schema in the pack's menu, found by `search_aliases` too, with the inputs named in
    `advanced` folded away.

    Newer pages fold them under "Show advanced inputs". Order and saved values stay, so an input may
    become advanced at any time. Older ComfyUI has no field for either: it ignores the attribute
    that is set here, and `extra_dict`, which every version sends to the page, carries the flag.
    """
    for one in inputs:
        if one.id in advanced:
            one.extra_dict = {**one.extra_dict, "advanced": True}
    schema = io.Schema(category=CATEGORY, inputs=inputs, **declared)
    schema.search_aliases = search_aliases
    return schema


def require_socket(name: str, value: Any, kind: str) -> None:
    """Raise InputError unless input `name` received what its socket of type `kind` carries.

    ComfyUI lets anything through that a script, a broken workflow or a loader without that part
    puts there. Sockets that are not in SOCKETS carry anything.
    """
    fits, remedy = SOCKETS.get(kind, (_anything, ""))
    if not fits(value):
        article = "an" if kind.startswith(tuple("AEIOU")) else "a"
        received = "nothing" if value is None else type(value).__name__
        raise InputError(name, f"expected {article} {kind}, received {received}", remedy)


def captions_of(captions: list[str] | None, count: int) -> list[str]:
    """One caption per picture, or none at all; one text may bring several, one per line."""
    lines = [line.strip() for text in captions or [] for line in text.splitlines()]
    texts = [line for line in lines if line]
    if texts and len(texts) != count:
        problem = f"there are {len(texts)} captions for {count} pictures"
        remedy = "Connect Story Batch's captions of the same run, or leave captions unconnected"
        raise InputError("captions", problem, remedy)
    return texts


def _anything(value: Any) -> bool:
    return True


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda value: all(hasattr(value, name) for name in names)


def _is_tensor(*dimensions: int) -> Callable[[Any], bool]:
    return lambda value: torch.is_tensor(value) and value.ndim in dimensions


def _is_latent(value: Any) -> bool:
    return isinstance(value, dict) and torch.is_tensor(value.get("samples"))


def _is_conditioning(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_entry, value))


def _is_entry(entry: Any) -> bool:
    pair = isinstance(entry, (list, tuple)) and len(entry) == 2
    return pair and torch.is_tensor(entry[0]) and isinstance(entry[1], dict)


LOADED = "Connect the CLIP of a loader: some checkpoints come without one"
# By type: what a value must be, and what to do where it is something else.
SOCKETS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "MODEL": (_has("get_model_object"), "Connect the MODEL of a loader"),
    "CLIP": (_has("tokenize", "cond_stage_model"), LOADED),
    "CLIP_VISION": (_has("encode_image", "model"), "Connect Load CLIP Vision"),
    "CONDITIONING": (_is_conditioning, "Connect a CONDITIONING"),
    "LATENT": (_is_latent, "Connect a LATENT"),
    "VAE": (
        _has("encode", "decode"),
        "Connect the VAE of a loader: some checkpoints come without one",
    ),
    "IMAGE": (_is_tensor(4), "Connect an IMAGE"),
    "MASK": (_is_tensor(2, 3), "Connect a MASK"),
    "STRING": (lambda value: isinstance(value, str), "Connect a text, or type one"),
    "STORY": (lambda value: isinstance(value, Story), "Connect Story Prompt"),
    "STORY_SHARE": (lambda value: isinstance(value, Share), "Connect share of Story Batch"),
}
