"""The empty latent that a story starts from, in the shape that its model wants."""

from typing import Any

import torch

from ..errors import InputError
from .cut import Latent

# Image pixels along one side of a latent pixel: of most formats, and of those that newer cores give
# a `spacial_downscale_ratio`.
PIXELS = 8
PIXELS_OF = {"ChromaRadiance": 1, "Flux2": 16, "HunyuanImage21": 32}
MAX_SIZE = 16384


def empty_latent(width: int, height: int, model: Any = None) -> Latent:
    """LATENT of zeros [1, channels, height, width], for models of video [1, channels, 1, h, w].

    Without a model as ComfyUI's Empty Latent Image makes it: the sampler then gives it the model's
    channels, and newer cores, which read `downscale_ratio_spacial`, its size. Raises InputError for
    a size that the model cannot have.
    """
    if model is None:
        _check_size(width, height, PIXELS)
        samples = torch.zeros(1, 4, height // PIXELS, width // PIXELS)
        return {"samples": samples, "downscale_ratio_spacial": PIXELS}
    form = model.get_model_object("latent_format")
    if form.latent_dimensions < 2:
        remedy = "Connect a model that paints pictures"
        raise InputError("model", "its latents are not pictures", remedy)
    pixels = pixels_of(form)
    _check_size(width, height, pixels)
    time = (1,) * (form.latent_dimensions - 2)
    size = (height // pixels, width // pixels)
    return {"samples": torch.zeros(1, form.latent_channels, *time, *size)}


def pixels_of(form: Any) -> int:
    """Image pixels along one side of a latent pixel of this latent format."""
    own = getattr(form, "spacial_downscale_ratio", None)
    return own or PIXELS_OF.get(type(form).__name__, PIXELS)


def _check_size(width: int, height: int, pixels: int) -> None:
    for name, value in (("width", width), ("height", height)):
        if not pixels <= value <= MAX_SIZE or value % pixels:
            problem = f"{value} is not a multiple of {pixels} from {pixels} to {MAX_SIZE}"
            nearest = max(pixels, min(MAX_SIZE, round(value / pixels) * pixels))
            raise InputError(name, problem, f"Use {nearest}")
