"""A story with pictures of one of its cast: each is encoded once, here."""

from dataclasses import replace
from typing import Any

import torch

from ..errors import InputError
from ..story.marks import shown, stripped
from ..story.names import key_of
from ..story.references import Reference
from ..story.story import Story
from .pictures import MEGAPIXEL, checked, scaled

# pixels, of both sides, as ComfyUI's own edit nodes; a VAE with larger latent pixels wants more
MULTIPLE = 8


def with_pictures(
    story: Story, images: list[torch.Tensor], vae: Any, character: str, megapixels: float
) -> Story:
    """`story` with these pictures of `character` after those it has. InputError for what makes no
    sense.

    `images` are batches [n, height, width, 3]. A picture is scaled to so many megapixels (of 1024 x
    1024) before it is encoded; 0 leaves its size.
    """
    phrase = phrase_of(story, character)
    pictures = checked(images)
    new = [Reference(phrase, picture, _latent_of(picture, vae, megapixels)) for picture in pictures]
    references = (*story.references, *new)
    channels = {reference.latent.shape[1] for reference in references}
    if len(channels) > 1:
        first, last = references[0].latent.shape[1], new[0].latent.shape[1]
        remedy = "Give every Story Reference the VAE of the model that paints"
        raise InputError(
            "vae",
            f"its latents have {last} channels, those of the story's other references {first}",
            remedy,
        )
    return replace(story, references=references)


def phrase_of(story: Story, character: str) -> int | None:
    """The place of a character's description among the identity's phrases; None for an empty text:
    every frame.

    The name may have its @. InputError for a name that the story does not know, or that no frame
    has.
    """
    name = stripped(stripped(character).removeprefix("@"))
    if not name:
        return None
    if not story.names:
        remedy = (
            "Leave it empty, so that every frame sees the picture, or name the cast in Story"
            " Prompt's identity, like '@girl: a girl'"
        )
        raise InputError(
            "character", f"'{shown(name)}' is unknown: the story names no character", remedy
        )
    found = next((known for known in story.names if key_of(known) == key_of(name)), None)
    if found is None:
        cast = ", ".join("@" + known for known in story.names)
        raise InputError(
            "character",
            f"@{shown(name)} is unknown",
            f"The cast is {cast}; empty is for every frame",
        )
    phrase = story.phrase_of(found)
    if not any(phrase in present for present in story.present):
        remedy = (
            f"Write @{shown(found)} into the frames that should have it, or remove this Story"
            " Reference"
        )
        raise InputError(
            "character", f"no frame has @{shown(found)}, so no frame would see the picture", remedy
        )
    return phrase


def _latent_of(picture: torch.Tensor, vae: Any, megapixels: float) -> torch.Tensor:
    """The VAE's latent [1, channels, .., h, w] of one picture."""
    pixels = round(megapixels * MEGAPIXEL)
    latent: torch.Tensor = vae.encode(scaled(picture, pixels, _multiple_of(vae)))
    return latent


def _multiple_of(vae: Any) -> int:
    """Pixels along a side that a scaled picture is a multiple of, so that the VAE cuts nothing
    off.
    """
    ask = getattr(vae, "spacial_compression_encode", None)
    return max(MULTIPLE, int(ask())) if ask is not None else MULTIPLE
