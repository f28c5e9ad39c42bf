"""What the nodes share: the STORY socket, where they stand in the menu, and what may come through a socket."""

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..story.share import Share
from ..story.story import Story

StoryType = io.Custom("STORY")
ShareType = io.Custom("STORY_SHARE")
CATEGORY = "story"


def require_model(model: object) -> None:
    _require("model", model, hasattr(model, "get_model_object"), "MODEL")


def require_clip(clip: object) -> None:
    _require("clip", clip, hasattr(clip, "tokenize") and hasattr(clip, "cond_stage_model"), "CLIP")


def require_clip_vision(clip_vision: object) -> None:
    _require("clip_vision", clip_vision, hasattr(clip_vision, "encode_image") and hasattr(clip_vision, "model"), "CLIP_VISION")


def require_story(story: object) -> None:
    _require("story", story, isinstance(story, Story), "STORY")


def require_share(share: object) -> None:
    _require("share", share, isinstance(share, Share), "STORY_SHARE")


def require_conditioning(name: str, conditioning: object) -> None:
    fits = (
        isinstance(conditioning, list)
        and bool(conditioning)
        and all(
            isinstance(entry, (list, tuple)) and len(entry) == 2 and torch.is_tensor(entry[0]) and isinstance(entry[1], dict)
            for entry in conditioning
        )
    )
    _require(name, conditioning, fits, "CONDITIONING")


def require_latent(name: str, latent: object) -> None:
    _require(name, latent, isinstance(latent, dict) and torch.is_tensor(latent.get("samples")), "LATENT")


def require_pictures(name: str, batch: object) -> None:
    _require(name, batch, torch.is_tensor(batch) and batch.ndim == 4, "IMAGE")


def require_one_size(name: str, batches: list) -> tuple[int, int, int]:
    """Height, width and channels that all batches of pictures share."""
    for batch in batches or [None]:
        require_pictures(name, batch)
    sizes = sorted({tuple(batch.shape[1:]) for batch in batches})
    if len(sizes) != 1:
        listed = ", ".join(f"{width}x{height} with {channels} channels" for height, width, channels in sizes)
        raise InputError(name, f"the pictures differ in size: {listed}", "Make all of one size")
    return sizes[0]


def _require(name: str, value: object, fits: bool, socket: str) -> None:
    """ComfyUI lets anything through a socket that a script, a broken workflow or a loader without that part puts there."""
    if fits:
        return
    if value is None:
        raise InputError(name, f"no {socket} arrives", f"Connect a node that has one: some checkpoints come without a {socket}")
    raise InputError(name, f"this is {type(value).__name__} and no {socket}", f"Connect a {socket}")
