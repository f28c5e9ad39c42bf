"""The one module of this room that knows ComfyUI: pictures through a CLIP_VISION, captions through
the CLIP's text tower that belongs to it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from comfy.clip_vision import ClipVisionModel
from comfy.sd import CLIP

from ..errors import InputError
from ..families import TOWERS

AT_ONCE = 8  # pictures in one run of the vision model: memory does not grow with the story

Change = Callable[[torch.Tensor, int], torch.Tensor]


def embed_pictures(
    clip_vision: ClipVisionModel,
    batches: list[torch.Tensor],
    change: Change | None = None,
    name: str = "images",
) -> torch.Tensor:
    """One embedding per picture, float32 [n, d] on the CPU, of batches [b, H, W, C] that may differ
    in size.

    `change(pictures [b, H, W, 3], index of the first)` may replace pictures before they are
    embedded. CLIP gives its projected embedding, DINOv2 its class token, SigLIP the mean of its
    tokens, since ComfyUI leaves out its pooling head. `name` is the input that an InputError names.
    """
    if not any(map(len, batches)):
        raise InputError(
            name, "it has no picture", "Connect pictures, for example of VAE Decode or Load Image"
        )
    progress = comfy.utils.ProgressBar(sum(len(batch) for batch in batches))
    rows = []
    first = 0
    for pictures in _few_at_once(batches):
        comfy.model_management.throw_exception_if_processing_interrupted()
        shown = three_channels(pictures)
        encoded = clip_vision.encode_image(shown if change is None else change(shown, first))
        rows.append(_embedding(encoded).float().cpu())
        first += len(pictures)
        progress.update(len(pictures))
    found = torch.cat(rows)
    broken = (~torch.isfinite(found).all(1) | (found == 0).all(1)).nonzero().flatten().tolist()
    if broken:
        raise InputError(
            name,
            f"picture {broken[0] + 1} has no usable embedding: it has values that are not numbers,"
            " or the vision model is broken",
            "Look at the picture, and try another clip_vision",
        )
    return found


def embed_captions(
    clip_vision: ClipVisionModel, clip: CLIP, captions: list[str], width: int
) -> torch.Tensor:
    """One text embedding per caption in the pictures' space, float32 [n, width], by the tower that
    belongs to the vision model.
    """
    tower = _matching_tower(clip_vision, clip, width)
    encoder = getattr(clip.cond_stage_model, f"clip_{tower}")
    clip.cond_stage_model.reset_clip_options()
    clip.load_model()
    rows = []
    for caption in captions:
        comfy.model_management.throw_exception_if_processing_interrupted()
        pooled = encoder.encode_token_weights(clip.tokenize(caption)[tower])[1]
        if not encoder.return_projected_pooled:
            pooled = encoder.transformer.text_projection(pooled.to(clip.patcher.load_device))
        rows.append(pooled.float().cpu().reshape(1, -1))
    return torch.cat(rows)


def _matching_tower(clip_vision: ClipVisionModel, clip: CLIP, width: int) -> str:
    """The name of the text tower that ends in the vision model's space; InputError where none
    does.
    """
    projection = getattr(clip_vision.model, "visual_projection", None)
    if getattr(projection, "weight", None) is None:  # a SigLIP has a lambda or an Identity
        raise InputError(
            "clip",
            "this clip_vision is not a CLIP (but a SigLIP or DINOv2) and has no text tower in"
            " ComfyUI",
            "Use a CLIP vision model, or leave clip unconnected: likeness needs none",
        )
    widths, unprojected = {}, []
    for tower in TOWERS:
        encoder = getattr(clip.cond_stage_model, f"clip_{tower}", None)
        projection = getattr(getattr(encoder, "transformer", None), "text_projection", None)
        if projection is None:
            continue
        widths[tower] = projection.weight.shape[0]
        if widths[tower] == width:
            if not _is_identity(projection.weight):
                return tower
            unprojected.append(tower)
    if unprojected:
        raise InputError(
            "clip",
            f"its text encoder {unprojected[0]} has no projection into the pictures' space: SD1.x"
            " and SDXL checkpoints leave it out",
            "Load the whole text encoder that belongs to the clip_vision, with Load CLIP",
        )
    towers = ", ".join(f"{tower}: {found}" for tower, found in widths.items()) or "none of CLIP's"
    raise InputError(
        "clip",
        f"its text embeddings ({towers}) do not fit this clip_vision's, which are {width} wide",
        "Use the text encoder and the vision model of the same CLIP, or leave clip unconnected",
    )


def _is_identity(weight: torch.Tensor) -> bool:
    """ComfyUI puts an identity where a checkpoint has no projection."""
    return torch.equal(weight.float().cpu(), torch.eye(*weight.shape))


def _embedding(encoded: Any) -> torch.Tensor:
    """[b, d] of what `encode_image` gives."""
    embeds: torch.Tensor | None = getattr(encoded, "image_embeds", None)
    if embeds is None:
        tokens: torch.Tensor = encoded.last_hidden_state
        return tokens[:, 0]
    return embeds.mean(1) if embeds.ndim == 3 else embeds


def _few_at_once(batches: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    for batch in batches:
        yield from torch.split(batch, AT_ONCE)


def three_channels(pictures: torch.Tensor) -> torch.Tensor:
    """One channel is grey, an alpha channel is left out."""
    return pictures.expand(*pictures.shape[:3], 3) if pictures.shape[-1] == 1 else pictures[..., :3]
