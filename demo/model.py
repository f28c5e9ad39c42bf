"""The demo model: a small text-to-image diffusion model of our own pixel world, made of ComfyUI's
own classes.

The latent is the picture itself: 3 channels in -1..1, one latent pixel for 8x8 image pixels.
Inside, the UNet works on 2x2 pixels packed into 12 channels.
"""

from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.ldm.common_dit
import comfy.model_base
import comfy.model_management
import comfy.sd
import comfy.supported_models_base
import comfy.utils
import torch
from comfy import sd1_clip
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher

WEIGHTS = Path(__file__).with_name("story-demo.safetensors")
PIXELS = 8
TEXT_WIDTH = 128
TEXT_CONFIG = {
    "num_hidden_layers": 2,
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 4 * TEXT_WIDTH,
    "num_attention_heads": 4,
}
VOCABULARY = 49408
UNET_CONFIG = {
    "image_size": 16,
    "in_channels": 12,
    "out_channels": 12,
    "model_channels": 64,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "num_head_channels": 32,
    "context_dim": TEXT_WIDTH,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "legacy": False,
    "num_classes": "sequential",
    "adm_in_channels": TEXT_WIDTH,
    "use_temporal_attention": False,
}


class PictureLatent(comfy.latent_formats.LatentFormat):
    """Three colour channels, scaled to about unit variance."""

    latent_channels = 3
    scale_factor = 1.6
    latent_rgb_factors = [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]]


class PackedUNet(UNetModel):
    """ComfyUI's UNet on pictures packed 2x2: [B, 3, h, w] -> [B, 12, h/2, w/2] and back."""

    def _forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        height, width = x.shape[-2:]
        packed = torch.nn.functional.pixel_unshuffle(
            comfy.ldm.common_dit.pad_to_patch_size(x, (2, 2)), 2
        )
        out = torch.nn.functional.pixel_shuffle(super()._forward(packed, *args, **kwargs), 2)
        return out[..., :height, :width]


class StoryDemo(comfy.model_base.BaseModel):
    def encode_adm(self, **kwargs: Any) -> torch.Tensor:
        pooled: torch.Tensor = kwargs["pooled_output"]
        return pooled


class StoryDemoConfig(comfy.supported_models_base.BASE):
    unet_extra_config: dict[str, Any] = {}
    latent_format = PictureLatent
    memory_usage_factor = 0.1

    def get_model(
        self, state_dict: dict[str, Any], prefix: str = "", device: torch.device | None = None
    ) -> StoryDemo:
        return StoryDemo(
            self, comfy.model_base.ModelType.V_PREDICTION, device=device, unet_model=PackedUNet
        )


class PictureVAE:
    """Latent to picture and back without loss of anything but size: nearest neighbour up, area
    average down.
    """

    downscale_ratio = upscale_ratio = PIXELS

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        pixels = (
            ((samples[:, :3] + 1) / 2)
            .clamp(0, 1)
            .repeat_interleave(PIXELS, dim=2)
            .repeat_interleave(PIXELS, dim=3)
        )
        return pixels.movedim(1, -1).to(comfy.model_management.intermediate_device(), torch.float32)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        height, width = (size // PIXELS * PIXELS for size in pixels.shape[1:3])
        return (
            torch.nn.functional.avg_pool2d(pixels[:, :height, :width, :3].movedim(-1, 1), PIXELS)
            * 2
            - 1
        )

    def decode_tiled(self, samples: torch.Tensor, **tiles: Any) -> torch.Tensor:
        return self.decode(samples)  # a picture needs no memory worth saving

    def encode_tiled(self, pixels: torch.Tensor, **tiles: Any) -> torch.Tensor:
        return self.encode(pixels)

    def spacial_compression_encode(self) -> int:
        return PIXELS

    def spacial_compression_decode(self) -> int:
        return PIXELS

    def temporal_compression_decode(self) -> None:
        return None


def build_model(dtype: torch.dtype = torch.float32) -> StoryDemo:
    """The diffusion model without weights."""
    config = StoryDemoConfig({**UNET_CONFIG})
    config.set_inference_dtype(dtype, None)
    return config.get_model({}, device=torch.device("cpu"))


def build_clip() -> comfy.sd.CLIP:
    """The text encoder without weights: ComfyUI's SD1 CLIP with the real tokenizer, two layers of
    our width.
    """
    target = comfy.supported_models_base.ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)
    return comfy.sd.CLIP(
        target, model_options={"clip_l_model_config": TEXT_CONFIG, "dtype": torch.float32}
    )


def full_token_table(rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """[VOCABULARY, width] from the rows of the known tokens; row 0 stands for every word the model
    has not seen.
    """
    table = rows[:1].expand(VOCABULARY, -1).clone()
    table[tokens.long()] = rows[1:]
    return table


def load_demo_model(path: Path = WEIGHTS) -> tuple[ModelPatcher, comfy.sd.CLIP, PictureVAE]:
    """MODEL, CLIP and VAE from the committed weights (safetensors only)."""
    stored = comfy.utils.load_torch_file(str(path), safe_load=True)
    weights = {
        name: value.float() if value.is_floating_point() else value
        for name, value in stored.items()
    }
    model = build_model()
    model.diffusion_model.load_state_dict(
        {
            name.removeprefix("unet."): value
            for name, value in weights.items()
            if name.startswith("unet.")
        }
    )
    clip = build_clip()
    text = {
        name.removeprefix("text."): value
        for name, value in weights.items()
        if name.startswith("text.")
    }
    text["text_model.embeddings.token_embedding.weight"] = full_token_table(
        weights["token_rows"], weights["token_ids"]
    )
    clip.cond_stage_model.clip_l.transformer.load_state_dict(text)
    patcher = ModelPatcher(
        model,
        comfy.model_management.get_torch_device(),
        comfy.model_management.unet_offload_device(),
    )
    return patcher, clip, PictureVAE()
