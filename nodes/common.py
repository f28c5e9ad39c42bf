"""What the nodes share: the STORY socket, where they stand in the menu, and what may come through a socket."""

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..story.story import Story

StoryType = io.Custom("STORY")
CATEGORY = "story"


def require_model(model) -> None:
    _require("model", model, hasattr(model, "get_model_object"), "MODEL")


def require_clip(clip) -> None:
    _require("clip", clip, hasattr(clip, "tokenize") and hasattr(clip, "cond_stage_model"), "CLIP")


def require_clip_vision(clip_vision) -> None:
    _require("clip_vision", clip_vision, hasattr(clip_vision, "encode_image") and hasattr(clip_vision, "model"), "CLIP_VISION")


def require_story(story) -> None:
    _require("story", story, isinstance(story, Story), "STORY")


def require_conditioning(name: str, conditioning) -> None:
    fits = (
        isinstance(conditioning, list)
        and bool(conditioning)
        and all(
            isinstance(entry, (list, tuple)) and len(entry) == 2 and torch.is_tensor(entry[0]) and isinstance(entry[1], dict)
            for entry in conditioning
        )
    )
    _require(name, conditioning, fits, "CONDITIONING")


def require_latent(name: str, latent) -> None:
    _require(name, latent, isinstance(latent, dict) and torch.is_tensor(latent.get("samples")), "LATENT")


def require_pictures(name: str, batch) -> None:
    _require(name, batch, torch.is_tensor(batch) and batch.ndim == 4, "IMAGE")


def _require(name: str, value, fits: bool, socket: str) -> None:
    """ComfyUI lets anything through a socket that a script, a broken workflow or a loader without that part puts there."""
    if fits:
        return
    if value is None:
        raise InputError(name, f"no {socket} arrives", f"Connect a node that has one: some checkpoints come without a {socket}")
    raise InputError(name, f"this is {type(value).__name__} and no {socket}", f"Connect a {socket}")
