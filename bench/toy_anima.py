"""A small Anima with random weights, of ComfyUI's own class, which it has from 2026 on: the
transformer and the adapter inside. Its text encoder is in `toy_encoders.py`.
"""

import comfy.model_management
import comfy.ops
import comfy.supported_models as models
import torch
from comfy.ldm.anima.model import LLMAdapter
from comfy.model_patcher import ModelPatcher

from bench.toy_encoders import WIDTH
from bench.toy_models import randomize

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
    """A MODEL. The adapter's sizes are constants of ComfyUI's, so that it is put in again, small:
    the class is the same.
    """
    config = models.Anima(dict(SHAPE))
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, "", device=torch.device("cpu"))
    model.diffusion_model.llm_adapter = LLMAdapter(
        *(WIDTH, WIDTH, WIDTH, 2, 2), dtype=torch.float32, operations=comfy.ops.disable_weight_init
    ).requires_grad_(False)
    randomize(model.diffusion_model, seed)
    devices = (
        comfy.model_management.get_torch_device(),
        comfy.model_management.unet_offload_device(),
    )
    return ModelPatcher(model, *devices)
