"""Small diffusion transformers with random weights, made of ComfyUI's own classes: real joint
attention in milliseconds.

Seeded: the same family gives the same model every time. Latents are 8x8 latent pixels in the tests,
    texts a dozen rows.
"""

import dataclasses
import inspect

import comfy.supported_models as models
import torch
from comfy.ldm.chroma.model import ChromaParams
from comfy.ldm.flux.model import FluxParams
from comfy.ldm.lumina.model import NextDiT
from comfy.model_patcher import ModelPatcher

from bench import toy_qwen21
from bench.toy_models import random_model

TEXT_WIDTH = 48  # of every family's text rows
POOLED_WIDTH = 24

_FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED_WIDTH,
    "context_in_dim": TEXT_WIDTH,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 2,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
}
_FLUX2 = {
    **_FLUX,
    "in_channels": 128,
    "out_channels": 128,
    "patch_size": 1,
    "vec_in_dim": None,
    "axes_dim": [4, 4, 4, 4],
    "theta": 2000,
    "qkv_bias": False,
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
}
_OVIS = {
    **_FLUX,
    "vec_in_dim": None,
    "guidance_embed": False,
    "txt_ids_dims": [1, 2],
    "yak_mlp": True,
    "txt_norm": True,
}
_CHROMA = {
    name: value for name, value in _FLUX.items() if name not in ("vec_in_dim", "guidance_embed")
} | {
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 32,
    "hidden_dim": 32,
    "n_layers": 1,
}
_SD3 = {
    "in_channels": 16,
    "patch_size": 2,
    "depth": 1,
    "num_blocks": 3,
    "qk_norm": "rms",
    "pos_embed_max_size": 16,
    "num_patches": 256,
    "adm_in_channels": POOLED_WIDTH,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": TEXT_WIDTH, "out_features": 64},
    },
}
_LUMINA = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 48,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "n_heads": 3,
    "n_kv_heads": 1,
    "multiple_of": 32,
    "ffn_dim_multiplier": 0.5,
    "qk_norm": True,
    "cap_feat_dim": TEXT_WIDTH,
    "axes_dims": [4, 6, 6],
    "axes_lens": [300, 512, 512],
}
_QWEN = {
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 3,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": TEXT_WIDTH,
    "axes_dims_rope": (4, 6, 6),
}
_QWEN21 = {
    "num_layers": 3,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "context_in_dim": TEXT_WIDTH,
    "axes_dims_rope": (4, 6, 6),
}
_MAGE = {**_QWEN, "in_channels": 128, "out_channels": 128}
_KREA2 = {
    "features": 32,
    "tdim": 16,
    "txtdim": TEXT_WIDTH // 3,
    "txtlayers": 3,  # of the text encoder, side by side in every row
    "heads": 2,
    "kvheads": 1,
    "multiplier": 2,
    "layers": 3,
    "txtheads": 1,
    "txtkvheads": 1,
}
_IDEOGRAM4 = {
    "in_channels": 128,
    "num_layers": 3,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "intermediate_size": 32,
    "adaln_dim": 16,
    "llm_features_dim": TEXT_WIDTH,
    "mrope_section": [4, 2, 2],
}
_HIDREAM = {
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "caption_channels": [TEXT_WIDTH, TEXT_WIDTH],
    "text_emb_dim": POOLED_WIDTH,
    "axes_dims_rope": (4, 6, 6),
    "max_resolution": (32, 32),
    "llama_layers": [0, 1, 2, 1],  # the last of them comes before every block's own
}


def _as_this_core_asks(parameters: type, shape: dict) -> dict:
    """`shape` with what newer cores want told besides."""
    newer = {"txt_ids_dims": [], "vec_in_dim": None}
    asked = {field.name for field in dataclasses.fields(parameters)}
    return {**{name: value for name, value in newer.items() if name in asked}, **shape}


_ALL = {
    "qwen-image": ("QwenImage", _QWEN),
    "mage-flow": ("MageFlow", _MAGE),
    "krea2": ("Krea2", _KREA2),
    "ideogram4": ("Ideogram4", _IDEOGRAM4),
    "z-image": (
        "ZImage",
        {
            **_LUMINA,
            "dim": 256,
            "n_heads": 16,
            "n_kv_heads": 16,
            "z_image_modulation": True,
            "pad_tokens_multiple": 32,
            "time_scale": 1000.0,
        },
    ),
    "lumina2": ("Lumina2", _LUMINA),
    "flux2": ("Flux2", _as_this_core_asks(FluxParams, _FLUX2)),
    "flux": ("Flux", _as_this_core_asks(FluxParams, _FLUX)),
    "chroma": ("Chroma", _as_this_core_asks(ChromaParams, _CHROMA)),
    "hidream": ("HiDream", _HIDREAM),
    "sd3": ("SD3", _SD3),
    "sd3.5-medium": ("SD3", {**_SD3, "x_block_self_attn_layers": [0, 1]}),
}
# Ovis-Image and NewBie have the classes of Flux and Lumina 2, with more parts in newer cores.
if "txt_norm" in {field.name for field in dataclasses.fields(FluxParams)}:
    _ALL["ovis-image"] = ("Flux", _as_this_core_asks(FluxParams, _OVIS))
if "clip_text_dim" in inspect.signature(NextDiT).parameters:
    _ALL["newbie"] = ("Lumina2", {**_LUMINA, "clip_text_dim": POOLED_WIDTH})
# Those that this core has: Z-Image and Flux.2 came with 0.3.75, Krea 2, Ideogram 4 and Mage-Flow
# later.
SHAPES = {
    family: (getattr(models, name), shape)
    for family, (name, shape) in _ALL.items()
    if hasattr(models, name)
}
SHAPES["qwen-image-2.1"] = (
    getattr(models, "QwenImage21", toy_qwen21.Supported),
    _QWEN21,
)  # it came with 0.37


def toy_transformer(
    family: str, seed: int = 1, dtype: torch.dtype = torch.float32, **changed
) -> ModelPatcher:
    """A MODEL of that family. `changed` replaces numbers of its shape, for a larger one."""
    supported, shape = SHAPES[family]
    model = random_model(supported, {**shape, **changed, "dtype": dtype}, seed, dtype)
    positions = getattr(model.model.diffusion_model, "pos_embed", None)
    if positions is not None:  # SD3's are not parameters, and come uninitialised
        positions.normal_(generator=torch.Generator().manual_seed(seed))
    return model


def toy_latent(family: str, side: int = 8, batch: int = 1) -> torch.Tensor:
    """An empty latent of the family's own shape, from what its latent format says."""
    latent_format = SHAPES[family][0].latent_format
    axes = [1] if latent_format.latent_dimensions == 3 else []
    return torch.zeros(batch, latent_format.latent_channels, *axes, side, side)
