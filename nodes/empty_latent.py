"""The empty latent that a story starts from, in the shape that its model wants."""

from typing import Any

import torch

from ..errors import InputError

PIXELS = 8  # along one side of a latent pixel, but for these formats; newer cores say it themselves (spacial_downscale_ratio)
PIXELS_OF = {"ChromaRadiance": 1, "Flux2": 16, "HunyuanImage21": 32}
MAX_SIZE = 16384


def empty_latent(width: int, height: int, model: Any = None) -> dict:
    """LATENT of zeros [1, channels, height, width], for models of video [1, channels, 1, height, width].

    Without a model as ComfyUI's Empty Latent Image makes it: the sampler then gives it the model's channels, and newer
    cores, which read `downscale_ratio_spacial`, its size. Raises InputError for a size that the model cannot have.
    """
    if model is None:
        _check_size(width, height, PIXELS)
        return {"samples": torch.zeros(1, 4, height // PIXELS, width // PIXELS), "downscale_ratio_spacial": PIXELS}
    form = model.get_model_object("latent_format")
    if form.latent_dimensions < 2:
        raise InputError("model", "its latents are no pictures", "Connect a model that paints pictures")
    pixels = pixels_of(form)
    _check_size(width, height, pixels)
    time = (1,) * (form.latent_dimensions - 2)
    return {"samples": torch.zeros(1, form.latent_channels, *time, height // pixels, width // pixels)}


def pixels_of(form: Any) -> int:
    """Image pixels along one side of a latent pixel of this latent format."""
    return getattr(form, "spacial_downscale_ratio", None) or PIXELS_OF.get(type(form).__name__, PIXELS)


def require_channels_of(latent: dict, model: Any) -> None:
    """Raise InputError where a latent's channels are not the model's. An empty one may have any: the sampler changes them."""
    has, wanted = latent["samples"].shape[1], model.get_model_object("latent_format").latent_channels
    if has != wanted and latent["samples"].any():
        raise InputError(
            "latent", f"it has {has} channels but the model's latents have {wanted}", "Encode the picture with the model's own VAE"
        )


def _check_size(width: int, height: int, pixels: int) -> None:
    for name, value in (("width", width), ("height", height)):
        if not pixels <= value <= MAX_SIZE or value % pixels:
            raise InputError(
                name,
                f"{value} is not a multiple of {pixels} from {pixels} to {MAX_SIZE}",
                f"Use {max(pixels, min(MAX_SIZE, round(value / pixels) * pixels))}",
            )
