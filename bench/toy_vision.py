"""Small CLIP_VISION models with random weights, of ComfyUI's own classes: CLIP, SigLIP, DINOv2."""

import json
from pathlib import Path

import comfy.clip_vision

from bench.toy_models import randomize

VISIONS = {
    "clip": {"model_type": "clip_vision_model", "projection_dim": 64},
    "siglip": {
        "model_type": "siglip_vision_model",
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    },
    "dinov2": {
        "model_type": "dinov2",
        "image_size": 518,
        "layer_norm_eps": 1e-6,
        "use_swiglu_ffn": False,
    },
}


def toy_vision(
    kind: str, folder: Path, seed: int = 3, **settings
) -> comfy.clip_vision.ClipVisionModel:
    """ComfyUI's own CLIP_VISION of that kind, tiny and with seeded weights. It reads its settings
    from a file, made in `folder`.
    """
    small = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "hidden_act": "gelu",
    }
    config = {
        **small,
        "num_channels": 3,
        "patch_size": 8,
        "image_size": 32,
        **VISIONS[kind],
        **settings,
    }
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    vision = comfy.clip_vision.ClipVisionModel(str(path))
    randomize(vision.model, seed)
    return vision
