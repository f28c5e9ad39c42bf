"""Small random files of models that come in parts, in the format of the real ones: a diffusion
model, a VAE.

The VAEs are for ComfyUI's own loader. The diffusion models have the real names of weights, and a
header that says whose shape they have: ComfyUI's loader takes numbers of heads, for Z-Image the
width as well, from the family and knows none so small. Text encoders have no file: their sizes are
constants of ComfyUI's (see toy_encoders).
"""

import inspect
import math
from pathlib import Path

import comfy.sd
import comfy.supported_models as models
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL, AutoencodingEngine
from comfy.ldm.wan.vae import WanVAE
from comfy.model_patcher import ModelPatcher
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.toy_encoders import WIDTH
from bench.toy_transformers import SHAPES, toy_transformer

READS = {
    "qwen-image": {"joint_attention_dim": WIDTH},
    "qwen-image-2.1": {"context_in_dim": WIDTH},
    "z-image": {"cap_feat_dim": WIDTH},
    "flux2": {"context_in_dim": 3 * WIDTH},
    "krea2": {"txtdim": WIDTH, "txtlayers": 12},
}
# By the end of a weight's name: words that would move no byte of a picture else. Flux.2's are among
# 512 places, and Krea 2's are between small gates.
LOUD = {"txt_attn.qkv.weight": 64.0, "attn.wv.weight": 8.0}
RANDOM_WEIGHTS = "random_weights"  # header entry: the family whose shape a file made here has


def has_family(family: str) -> bool:
    """Whether this ComfyUI has its class."""
    return family in SHAPES or (family == "anima" and hasattr(models, "Anima"))


def _toy(family: str, seed: int = 1) -> ModelPatcher:
    if family == "anima":
        from bench.toy_anima import toy_anima

        return toy_anima(seed)
    return toy_transformer(family, seed, **READS[family])


def write_toy_transformer(path: Path, family: str, seed: int = 1) -> None:
    weights = _toy(family, seed).model.diffusion_model.state_dict()
    for name, value in weights.items():
        value *= next((gain for end, gain in LOUD.items() if name.endswith(end)), 1.0)
    found = {name: value.contiguous() for name, value in weights.items()}
    save_file(found, path, metadata={RANDOM_WEIGHTS: family})


def load_toy_transformer(path: Path) -> ModelPatcher:
    """The MODEL of a file by `write_toy_transformer`."""
    with safe_open(path, "pt") as weights:
        family = weights.metadata()[RANDOM_WEIGHTS]
    model = _toy(family)
    model.model.diffusion_model.load_state_dict(load_file(path))
    return model


def _wan_vae() -> torch.nn.Module:
    """Qwen-Image's VAE is that of Wan: the loader reads the width off the file, older cores' takes
    96.
    """
    reads_width = 'decoder.head.0.gamma"].shape' in inspect.getsource(comfy.sd.VAE.__init__)
    return WanVAE(
        dim=8 if reads_width else 96,
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        attn_scales=[],
        temperal_downsample=[False, True, True],
    )


def _flux_vae(channels: int, **more) -> dict:
    return {
        "z_channels": channels,
        "double_z": True,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": [1, 2, 4, 4],
        "num_res_blocks": 2,
        "attn_resolutions": [],
        "dropout": 0.0,
        **more,
    }


def _flux1_vae() -> torch.nn.Module:
    part = "comfy.ldm.modules.diffusionmodules.model.{}"
    return AutoencodingEngine(
        encoder_config={"target": part.format("Encoder"), "params": _flux_vae(16)},
        decoder_config={"target": part.format("Decoder"), "params": _flux_vae(16)},
        regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
    )


VAES = {
    "qwen-image": _wan_vae,
    "krea2": _wan_vae,
    "anima": _wan_vae,
    "z-image": _flux1_vae,
    "flux2": lambda: AutoencoderKL(embed_dim=32, ddconfig=_flux_vae(32, batch_norm_latent=True)),
}


def write_toy_vae(path: Path, family: str, seed: int = 4, encodes: bool = False) -> None:
    """A file for VAELoader with all that decoding needs. The VAEs of Flux have no small form:
    theirs is 100 MB.

    Of the encoder it has what newer cores read a VAE's channels off, or all of it where it
    `encodes`.
    """
    with torch.device("meta"):
        shapes = VAES[family]().state_dict()
    generator = torch.Generator().manual_seed(seed)
    channels = "encoder.conv1.weight"
    needed = {
        name: value.shape
        for name, value in shapes.items()
        if encodes or not name.startswith("encoder.") or name == channels
    }
    weights = {name: _random(name, shape, generator) for name, shape in needed.items()}
    save_file(weights, path, metadata={RANDOM_WEIGHTS: family})


def _random(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Gains and variances around 1, biases and means around 0, matrices that keep a picture's
    contrast.
    """
    noise = torch.randn(shape, generator=generator)
    if len(shape) > 1 and "gamma" not in name:
        noise /= math.sqrt(noise[0].numel())
    else:
        noise = 0.1 * noise + float(name.endswith(("weight", "gamma", "var")))
    return noise.abs().bfloat16() if name.endswith("var") else noise.bfloat16()
