"""Pictures as ComfyUI has them, float [H, W, C] in 0..1, as Pillow's, and back."""

import numpy as np
import torch
from PIL import Image


def picture_of(image: torch.Tensor) -> Image.Image:
    """[H, W, C] as RGB: one channel is grey, an alpha channel is left out, NaN is black."""
    pixels = image.detach().float().cpu().nan_to_num().clamp(0, 1).mul(255).round().byte()
    rgb = pixels.expand(*pixels.shape[:2], 3) if pixels.shape[-1] == 1 else pixels[..., :3]
    return Image.fromarray(rgb.numpy().copy())


def image_of(picture: Image.Image) -> torch.Tensor:
    """An IMAGE batch of one, [1, H, W, 3]."""
    return torch.from_numpy(np.array(picture)).float().div(255).unsqueeze(0)
