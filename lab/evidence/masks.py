"""Where the character is in a picture, by a package that finds it: MASK=rembg."""

from collections.abc import Callable
from importlib import import_module

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from sheet.pictures import picture_of

Masks = Callable[[torch.Tensor], torch.Tensor]
MODEL = "u2net"  # the same whatever the package's default is


def masks_by(package: str) -> Masks | None:
    """Pictures [n, H, W, 3] in 0..1 to masks [n, H, W] in 0..1; None where no package is wanted, or
    where it is not installed.
    """
    if not package:
        return None
    try:
        rembg = import_module(package)
    except ImportError:
        why = f"MASK={package} was set, and the package {package} is not installed"
        print(f"evidence: Whole pictures: {why}.", flush=True)
        return None
    session = rembg.new_session(MODEL)

    def mask(picture: Image.Image) -> torch.Tensor:
        found = rembg.remove(picture, session=session, only_mask=True)
        return to_tensor(found.convert("L").resize(picture.size))

    return lambda images: torch.cat([mask(picture_of(image)) for image in images])
