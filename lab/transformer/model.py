"""The lab's transformer: a small text-to-image model of the drawn world in ComfyUI's own class of
Lumina 2 and Z-Image.

Text and picture are in one attention and every row of the text is normalised before it is read. So
this model stands for the families whose models lose a row's length. The text encoder is the demo
model's, frozen, and texts are not padded. The latent is the picture itself, as in the demo model;
4x4 pixels are a token, 64 in all.
"""

import math
from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.sd
import comfy.supported_models
import torch
from comfy.model_patcher import ModelPatcher
from comfy.utils import load_torch_file

from demo.model import TEXT_WIDTH, PictureLatent, PictureVAE, load_demo_model

from .text import build_encoder, tower_of

WEIGHTS = Path(__file__).with_name("story-transformer.safetensors")
PATCH, PICTURE = 4, 32
# Of the sampler's moments towards noise, and of those that are trained: composition is settled
# there.
SHIFT = 3.0
CONFIG = {
    "image_model": "lumina2",
    "patch_size": PATCH,
    "in_channels": 3,
    "dim": 160,
    "n_layers": 5,
    "n_refiner_layers": 1,
    "n_heads": 5,
    "multiple_of": 32,
    "ffn_dim_multiplier": 2.5,
    "qk_norm": True,
    "cap_feat_dim": TEXT_WIDTH,
    "axes_dims": [8, 12, 12],
    "axes_lens": [128, 64, 64],
    "rope_theta": 256.0,
    "time_scale": 1000.0,
}


class StoryTransformerConfig(comfy.supported_models.Lumina2):
    """ComfyUI tells Lumina 2 by its width, so this one is built by name."""

    unet_config: dict[str, Any] = {}
    latent_format = PictureLatent
    memory_usage_factor = 0.1
    sampling_settings = {"multiplier": 1.0, "shift": SHIFT}


def build_transformer(dtype: torch.dtype = torch.float32) -> comfy.model_base.Lumina2:
    """The diffusion model without weights."""
    config = StoryTransformerConfig({**CONFIG})
    config.set_inference_dtype(dtype, None)
    return config.get_model({}, device=torch.device("cpu"))


def initialise(network: torch.nn.Module) -> None:
    """First weights: fan-in normal, norms at 1, no modulation, gates half open, output 0."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))
        else:
            norm = "norm" in name or name == "cap_embedder.0.weight"
            torch.nn.init.constant_(parameter, 1.0 if norm and name.endswith("weight") else 0.0)
        if "adaLN_modulation" in name or name.startswith("final_layer.linear"):
            torch.nn.init.zeros_(parameter)
        if "adaLN_modulation" in name and name.endswith("bias") and "final_layer" not in name:
            # Scale and gate of attention, then scale and gate of the feed-forward layer.
            parts = parameter.detach().view(4, -1)
            parts[1], parts[3] = 0.5, 0.5


def load_transformer(
    path: Path = WEIGHTS, reads_length: bool = False
) -> tuple[ModelPatcher, comfy.sd.CLIP, PictureVAE]:
    """MODEL, CLIP and VAE. `reads_length`: the CLIP is one whose embeddings the pack reweights."""
    stored = load_torch_file(str(path), safe_load=True)
    model = build_transformer()
    model.diffusion_model.load_state_dict({name: value.float() for name, value in stored.items()})
    _, demo, vae = load_demo_model()
    clip = build_encoder(reads_length)
    tower_of(clip).load_state_dict(demo.cond_stage_model.clip_l.transformer.state_dict())
    device = comfy.model_management.get_torch_device()
    offload = comfy.model_management.unet_offload_device()
    return ModelPatcher(model, device, offload), clip, vae
