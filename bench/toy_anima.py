"""A small Anima with random weights, of ComfyUI's own class, which it has from 2026 on: the
transformer and the adapter inside. Its text encoder is in `toy_encoders.py`.
"""

import comfy.ops
import comfy.supported_models as models
import torch
from comfy.ldm.anima.model import LLMAdapter
from comfy.model_patcher import ModelPatcher

from bench.toy_encoders import WIDTH
from bench.toy_models import random_model

BLOCKS = 3
SHAPE = {
    "image_model": "anima",
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "model_channels": 32,
    "num_heads": 2,
    "num_blocks": BLOCKS,
    "crossattn_emb_channels": WIDTH,
    "pos_emb_cls": "rope3d",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
}


def toy_anima(seed: int = 1) -> ModelPatcher:
    """A MODEL, with a small adapter of the same class."""
    return random_model(models.Anima, SHAPE, seed, shrink=_with_small_adapter)


def _with_small_adapter(network: torch.nn.Module) -> None:
    network.llm_adapter = LLMAdapter(
        *(WIDTH, WIDTH, WIDTH, 2, 2), dtype=torch.float32, operations=comfy.ops.disable_weight_init
    ).requires_grad_(False)
