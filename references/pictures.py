"""Pictures as a reference wants them: checked, and scaled to so many pixels."""

import math

import comfy.utils
import torch

from ..errors import InputError

LEAST_SIDE = 64
MEGAPIXEL = 1024 * 1024


def checked(images: list[torch.Tensor]) -> list[torch.Tensor]:
    """Every picture of some batches [n, height, width, channels], as [1, height, width, 3].

    Raises InputError where there is none, and for one with transparency or too small to show
    anybody.
    """
    pictures = [batch[place : place + 1] for batch in images for place in range(len(batch))]
    if not pictures:
        raise InputError(
            "image",
            "it has no picture",
            "Connect a picture of the character, for example Load Image",
        )
    for number, picture in enumerate(pictures, 1):
        _, height, width, channels = picture.shape
        which = f"picture {number} of {len(pictures)}" if len(pictures) > 1 else "the picture"
        if channels == 4:
            remedy = (
                "Connect the IMAGE of Load Image, which is opaque, or put the picture on a plain"
                " background"
            )
            raise InputError("image", f"{which} has transparency (an alpha channel)", remedy)
        if channels != 3:
            raise InputError(
                "image", f"{which} has {channels} channels", "Connect a colour picture: it has 3"
            )
        if min(height, width) < LEAST_SIDE:
            remedy = (
                f"Use a picture of at least {LEAST_SIDE} pixels on each side, better of 512 or more"
            )
            raise InputError(
                "image",
                f"{which} is {width}x{height} pixels, too small to show a character",
                remedy,
            )
    return pictures


def size_with(width: int, height: int, pixels: int, multiple: int = 1) -> tuple[int, int]:
    """The size with about so many pixels and the same shape, each side a multiple: as ComfyUI's own
    edit nodes take it.
    """
    scale = math.sqrt(pixels / (width * height))
    return max(multiple, round(width * scale / multiple) * multiple), max(
        multiple, round(height * scale / multiple) * multiple
    )


def scaled(picture: torch.Tensor, pixels: int, multiple: int = 1) -> torch.Tensor:
    """`picture` [1, height, width, 3] with about so many pixels, by the mean over areas; 0: as it
    is.
    """
    if not pixels:
        return picture
    height, width = picture.shape[1:3]
    size = size_with(width, height, pixels, multiple)
    out: torch.Tensor = comfy.utils.common_upscale(
        picture.movedim(-1, 1), *size, "area", "disabled"
    )
    return out.movedim(1, -1)
