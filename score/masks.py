"""The character only: what a mask leaves out of a picture is replaced before it is embedded."""

import torch

from ..errors import InputError
from .embed import Change
from .likeness import fitted, on_noise, seeded_noise

Masks = list[torch.Tensor]


def masks_of(given: Masks | None, count: int, name: str = "mask") -> Masks | None:
    """One mask [H, W] in 0..1 per picture, from MASKs [H, W] or [n, H, W]; one for all is repeated.

    None if nothing is masked. Raises InputError of the input `name` for another number of masks,
    and empty ones.
    """
    batches = [batch for batch in given or [] if batch is not None]
    if not batches:
        return None
    masks = [mask for batch in batches for mask in (batch if batch.ndim == 3 else [batch])]
    if len(masks) not in (1, count):
        problem = f"there are {len(masks)} masks for {count} pictures"
        raise InputError(name, problem, "Connect one mask per picture, or one for all")
    for number, mask in enumerate(masks, start=1):
        if not mask.max() > 0:  # also where a value is not a number
            remedy = f"Mask the character, or leave {name} unconnected to compare whole pictures"
            raise InputError(name, f"mask {number} is empty", remedy)
    return masks * count if len(masks) == 1 else masks


def baseline_masks_of(given: Masks | None, count: int, own: Masks | None) -> Masks | None:
    """The masks of `count` baseline pictures, where `own` are the story's: both are measured in the
    same way, or neither is masked.

    One mask for the whole story is the baseline's too; else the character is in another place in
    each picture. Raises InputError where one has masks and the other has none.
    """
    masks = masks_of(given, count, "baseline_mask")
    if own is None and masks is not None:
        raise InputError(
            "baseline_mask",
            "the pictures of images have no mask",
            "Connect mask too, or leave both unconnected",
        )
    if own is None or masks is not None:
        return masks
    if any(mask is not own[0] for mask in own):
        raise InputError(
            "baseline",
            "its pictures have no masks, those of images have one each",
            "Connect baseline_mask",
        )
    return own[:1] * count


def background_as_noise(masks: Masks, image_size: int, name: str = "mask") -> Change:
    """Pictures with all but their masks replaced by noise, before the vision model sees them.

    `image_size` is how many pixels wide the vision model looks at them. Raises InputError of the
    input `name` where nothing of a mask is left at the size of its picture.
    """
    noise = seeded_noise(image_size)

    def change(pictures: torch.Tensor, first: int) -> torch.Tensor:
        size = pictures.shape[1:3]
        own = [fitted(mask, size) for mask in masks[first : first + len(pictures)]]
        for number, mask in enumerate(own, start=1 + first):
            if not mask.max() > 0:
                problem = f"mask {number} is empty at its picture's size, {size[1]}x{size[0]}"
                raise InputError(name, problem, "Connect masks of the pictures' size")
        return on_noise(pictures, torch.stack(own), noise)

    return change
