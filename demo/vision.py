"""The demo model's vision: a small CLIP vision of ComfyUI's own class, whose embeddings fit the
demo model's text encoder.
"""

from pathlib import Path

import comfy.clip_vision
import comfy.utils

WEIGHTS = Path(__file__).with_name("story-vision.safetensors")
CONFIG = Path(__file__).with_name("story-vision.json")


def load_demo_vision(path: Path = WEIGHTS) -> comfy.clip_vision.ClipVisionModel:
    """CLIP_VISION from the committed weights (safetensors only)."""
    vision = comfy.clip_vision.ClipVisionModel(str(CONFIG))
    missing, unexpected = vision.load_sd(comfy.utils.load_torch_file(str(path), safe_load=True))
    if missing or unexpected:
        raise ValueError(f"{path.name} does not fit {CONFIG.name}: {[*missing, *unexpected][:3]}")
    return vision
