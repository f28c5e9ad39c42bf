"""The character only: what a mask leaves out of a picture is replaced before it is embedded."""

import torch

from ..errors import InputError
from .embed import Change
from .likeness import on_noise, seeded_noise

Masks = list[torch.Tensor]


def masks_of(given: Masks | None, count: int) -> Masks | None:
    """One mask [H, W] in 0..1 per picture, from MASKs [H, W] or [n, H, W]; one for all is repeated.

    None where nothing is masked. Raises InputError for another number of masks, and empty ones.
    """
    batches = [batch for batch in given or [] if batch is not None]
    if not batches:
        return None
    masks = [mask for batch in batches for mask in (batch if batch.ndim == 3 else [batch])]
    if len(masks) not in (1, count):
        problem = f"there are {len(masks)} masks for {count} pictures"
        raise InputError("mask", problem, "Connect one mask a picture, or one for all")
    for number, mask in enumerate(masks, start=1):
        if not mask.max() > 0:  # also where a value is no number
            remedy = "Mask the character, or leave mask unconnected to compare whole pictures"
            raise InputError("mask", f"mask {number} is empty", remedy)
    return masks * count if len(masks) == 1 else masks


def background_as_noise(masks: Masks, image_size: int) -> Change:
    """Pictures with all but their masks replaced by noise, on their way to the vision model.

    `image_size` is how many pixels wide the vision model looks at them.
    """
    noise = seeded_noise(image_size)

    def change(pictures: torch.Tensor, first: int) -> torch.Tensor:
        size = pictures.shape[1:3]
        own = [mask[None, None].float() for mask in masks[first : first + len(pictures)]]
        fitted = [torch.nn.functional.interpolate(mask, size, mode="bilinear") for mask in own]
        return on_noise(pictures, torch.cat(fitted)[:, 0].clamp(0, 1), noise)

    return change
