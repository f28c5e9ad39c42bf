"""Where the character is in a picture, by a package that finds it: MASK=rembg."""

from collections.abc import Callable
from importlib import import_module

import torch
from PIL import Image

from ..world.measure import as_bytes

Masks = Callable[[torch.Tensor], torch.Tensor]
MODEL = "u2net"  # the same whatever the package's default is


def masks_by(package: str) -> tuple[Masks | None, str, list[str]]:
    """Pictures [n, H, W, 3] in 0..1 to masks [n, H, W] in 0..1, the package's name, and notes.

    None and an empty name where no package is wanted, or where it is not installed.
    """
    if not package:
        return None, "", []
    try:
        rembg = import_module(package)
    except ImportError:
        note = (
            f"Whole pictures: MASK={package} was set, and the package {package} is not installed."
        )
        print(f"evidence: {note}", flush=True)
        return None, "", [note]
    session = rembg.new_session(MODEL)

    def masks(images: torch.Tensor) -> torch.Tensor:
        pixels = as_bytes(images.movedim(-1, 1).float().cpu() * 2 - 1)
        found = [
            rembg.remove(Image.fromarray(picture), session=session, only_mask=True)
            for picture in pixels
        ]
        size = images.shape[2], images.shape[1]
        sized = [mask.convert("L").resize(size) for mask in found]
        data = [torch.frombuffer(bytearray(mask.tobytes()), dtype=torch.uint8) for mask in sized]
        return torch.stack(data).view(images.shape[:3]).float() / 255

    return masks, package, []
