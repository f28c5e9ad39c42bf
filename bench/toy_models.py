"""Small models with random weights in the shapes of SDXL and its relatives, SD1.5 and SD2.x, made
of ComfyUI's own classes.

Real tokenizers, real text-encoder and UNet classes, real ModelPatcher; only the widths are small
and the weights are noise. Everything is seeded: the same shape gives the same model every time.
"""

import math
from collections.abc import Callable
from pathlib import Path

import comfy.model_management
import comfy.sd
import comfy.supported_models as models
import comfy.supported_models_base
import torch
from comfy import sd1_clip, sdxl_clip
from comfy.model_patcher import ModelPatcher
from comfy.text_encoders import sd2_clip
from safetensors.torch import load_file, save_file

L_WIDTH, G_WIDTH, H_WIDTH = 32, 64, 64


def _encoder(width: int) -> dict:
    return {
        "num_hidden_layers": 3,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": 4,
    }


def _unet(
    context: int, mult: list, depth: list, depth_out: list, depth_middle: int, **more
) -> dict:
    return {
        "image_size": 32,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "num_res_blocks": [2] * len(mult),
        "channel_mult": mult,
        "transformer_depth": depth,
        "transformer_depth_output": depth_out,
        "transformer_depth_middle": depth_middle,
        "context_dim": context,
        "use_spatial_transformer": True,
        "legacy": False,
        "use_temporal_attention": False,
        "dtype": torch.float32,
        **more,
    }


def _xl_head(sizes: int, pooled: int = G_WIDTH) -> dict:
    """What SDXL and its refiner know beside the text: the pooled vector and `sizes` numbers of
    picture sizes.
    """
    return {
        "num_classes": "sequential",
        "adm_in_channels": pooled + sizes * 256,
        "use_linear_in_transformer": True,
    }


def _xl_like(
    depth: list,
    depth_out: list,
    depth_middle: int,
    context: int = L_WIDTH + G_WIDTH,
    pooled: int = G_WIDTH,
) -> dict:
    return _unet(context, [1, 2, 4], depth, depth_out, depth_middle, **_xl_head(6, pooled))


def sdxl_unet_config(context: int = L_WIDTH + G_WIDTH, pooled: int = G_WIDTH) -> dict:
    return _xl_like([0, 0, 2, 2, 2, 2], [0, 0, 0, 2, 2, 2, 2, 2, 2], 2, context, pooled)


def sd1_unet_config(context: int = L_WIDTH, **more) -> dict:
    return _unet(
        context,
        [1, 2, 4, 4],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        1,
        **more,
    )


def _refiner_unet_config() -> dict:
    return _unet(
        G_WIDTH,
        [1, 2, 4, 4],
        [0, 0, 2, 2, 2, 2, 0, 0],
        [0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 0],
        2,
        **_xl_head(5),
    )


def _koala_unet_config() -> dict:
    return {**_xl_like([0, 2, 5], [0, 0, 2, 2, 5, 5], -2), "num_res_blocks": [1, 1, 1]}


def _small_unet_config() -> dict:
    """Two levels of SD1.5's layers, for what costs time by the layer and does not ask which model
    it is.
    """
    return {**_unet(L_WIDTH, [1, 2], [1, 1], [1, 1, 1, 1], 1), "num_res_blocks": [1, 1]}


def _one_level_unet_config() -> dict:
    """One level and three attn2, one each down, in the middle and up: for torch.compile, which
    traces every layer.
    """
    return {**_unet(L_WIDTH, [1], [1], [1, 0], 1), "num_res_blocks": [1]}


_XL_CLIP = (sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel)
_SD1_TEXT = (
    (sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel),
    {"clip_l_model_config": _encoder(L_WIDTH)},
)
_XL_ENCODERS = {"clip_l_model_config": _encoder(L_WIDTH), "clip_g_model_config": _encoder(G_WIDTH)}

SHAPES = {
    "sdxl": (models.SDXL, sdxl_unet_config, _XL_CLIP, _XL_ENCODERS),
    "sdxl inpaint": (
        models.SDXL,
        lambda: {**sdxl_unet_config(), "in_channels": 9},
        _XL_CLIP,
        _XL_ENCODERS,
    ),
    "refiner": (
        models.SDXLRefiner,
        _refiner_unet_config,
        (sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLRefinerClipModel),
        _XL_ENCODERS,
    ),
    "ssd1b": (
        models.SSD1B,
        lambda: _xl_like([0, 0, 2, 2, 4, 4], [0, 0, 0, 1, 1, 2, 5, 4, 4], -1),
        _XL_CLIP,
        _XL_ENCODERS,
    ),
    "vega": (
        models.Segmind_Vega,
        lambda: _xl_like([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2, 2], -1),
        _XL_CLIP,
        _XL_ENCODERS,
    ),
    "koala": (models.KOALA_700M, _koala_unet_config, _XL_CLIP, _XL_ENCODERS),
    "sd15": (models.SD15, sd1_unet_config, *_SD1_TEXT),
    "small": (models.SD15, _small_unet_config, *_SD1_TEXT),
    "one level": (models.SD15, _one_level_unet_config, *_SD1_TEXT),
    "sd2": (
        models.SD20,
        lambda: sd1_unet_config(H_WIDTH, use_linear_in_transformer=True, model_channels=64),
        (sd2_clip.SD2Tokenizer, sd2_clip.SD2ClipModel),
        {"clip_h_model_config": _encoder(H_WIDTH)},
    ),
}


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Seeded weights; ComfyUI's layers come uninitialised.

    The gains keep the model calm: attn2 clearly moves the result while rounding stays at 1e-5 over
    a whole run.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            fan_in = parameter[0].numel() if "embedding" not in name else 1
            noise *= (1.0 if "attn2.to_" in name else 0.8) / math.sqrt(fan_in)
        else:
            noise = (1.0 if "weight" in name else 0.0) + 0.1 * noise
        if name.startswith("out."):
            noise *= 0.6
        parameter.data = noise.to(parameter.dtype)


def random_model(
    supported: type,
    shape: dict,
    seed: int,
    dtype: torch.dtype = torch.float32,
    computed_in: torch.dtype | None = None,
    shrink: Callable[[torch.nn.Module], None] = lambda network: None,
) -> ModelPatcher:
    """A MODEL of one of ComfyUI's supported classes in another shape, with seeded weights of
    `dtype`; where ComfyUI cannot compute in it (fp8), each layer casts to `computed_in`. `shrink`
    replaces parts whose sizes are constants of ComfyUI's.
    """
    config = supported(shape)
    config.unet_config.update(shape)  # some classes insist on the real model's size
    config.set_inference_dtype(dtype, computed_in)
    model = config.get_model({}, "", device=torch.device("cpu"))
    shrink(model.diffusion_model)
    randomize(model.diffusion_model, seed)
    return ModelPatcher(
        model,
        comfy.model_management.get_torch_device(),
        comfy.model_management.unet_offload_device(),
    )


def toy_model(
    shape: str = "sdxl",
    seed: int = 1,
    dtype: torch.dtype = torch.float32,
    computed_in: torch.dtype | None = None,
    **changed,
) -> ModelPatcher:
    """`changed` replaces numbers of the shape, for a larger one."""
    supported, unet_config, _, _ = SHAPES[shape]
    return random_model(supported, {**unet_config(), **changed}, seed, dtype, computed_in)


def toy_clip(
    shape: str = "sdxl", seed: int = 2, embedding_directory=None, sizes: dict | None = None
) -> comfy.sd.CLIP:
    """`sizes` of the encoders instead of the shape's own."""
    _, _, (tokenizer, encoder), small = SHAPES[shape]
    target = comfy.supported_models_base.ClipTarget(tokenizer, encoder)
    options = {"embedding_directory": embedding_directory, "model_options": sizes or small}
    clip = comfy.sd.CLIP(target, **options)
    randomize(clip.cond_stage_model, seed)
    return clip


def write_toy_checkpoint(path: Path, shape: str = "sdxl", seed: int = 1) -> None:
    """One file with the small model's UNet and text encoders, random weights, and a header that
    says so.
    """
    weights = {
        f"unet.{name}": value
        for name, value in toy_model(shape, seed).model.diffusion_model.state_dict().items()
    }
    weights |= {
        f"text.{name}": value
        for name, value in toy_clip(shape, seed + 1).cond_stage_model.state_dict().items()
    }
    save_file(
        {name: value.contiguous() for name, value in weights.items()},
        path,
        metadata={"random_weights": shape},
    )


def load_toy_checkpoint(path: Path, shape: str) -> tuple[ModelPatcher, comfy.sd.CLIP, "ToyVAE"]:
    """MODEL, CLIP and VAE of a file by `write_toy_checkpoint`: ComfyUI's own loader knows no model
    so small.
    """
    weights = load_file(path)
    model, clip = toy_model(shape), toy_clip(shape)
    for part, name in ((model.model.diffusion_model, "unet."), (clip.cond_stage_model, "text.")):
        part.load_state_dict(
            {
                key.removeprefix(name): value
                for key, value in weights.items()
                if key.startswith(name)
            }
        )
    return model, clip, ToyVAE()


class ToyVAE:
    """Latent channels shown as colours, eight pixels a latent pixel: enough to see that pictures
    come and differ.
    """

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        pixels = (
            (samples[:, :3] / 500 + 0.5)
            .clamp(0, 1)
            .repeat_interleave(8, dim=2)
            .repeat_interleave(8, dim=3)
        )
        return pixels.movedim(1, -1).float()

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(pixels.movedim(-1, 1)[:, :3], 8)
        return torch.cat([(small - 0.5) * 500, torch.zeros_like(small[:, :1])], dim=1)


def other_model(family: str) -> ModelPatcher:
    """Models that IPCA must refuse: a transformer that its table lacks, a video UNet, a UNet
    without cross-attention.
    """
    if family == "auraflow":
        shape = {"cond_seq_dim": 32, "dim": 32, "n_heads": 2, "n_layers": 1, "n_double_layers": 1}
        return random_model(models.AuraFlow, {"in_channels": 4, **shape}, 1)
    if family == "svd":
        shape = {
            **sd1_unet_config(),
            "in_channels": 8,
            "num_classes": "sequential",
            "adm_in_channels": 768,
            "use_temporal_attention": True,
            "use_temporal_resblock": True,
            "video_kernel_size": [3, 1, 1],
            "merge_strategy": "learned_with_images",
            "extra_ff_mix_layer": True,
            "use_spatial_context": True,
            "num_head_channels": 32,
        }
        return random_model(models.SVD_img2vid, shape, 1)
    return random_model(models.SD15, _unet(32, [1, 2], [0, 0, 0, 0], [0] * 6, 0), 1)
