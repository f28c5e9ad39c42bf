"""Nodes that stand in for ComfyUI's loaders where there is no such file: the test bench's small
random-weight models.
"""

from pathlib import Path

import folder_paths

from bench.toy_encoders import ADAPTED, KINDS, toy_encoder
from bench.toy_models import SHAPES, ToyVAE, toy_clip, toy_model
from bench.toy_parts import load_toy_transformer
from bench.toy_vae import LinearVae

SIGHTED = {"qwen-image with sight": "qwen-image"}  # text encoders that look at pictures too


class ToyCheckpoint:
    """Outputs MODEL, CLIP and VAE, as Load Checkpoint does."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load"
    CATEGORY = "story/test bench"
    DESCRIPTION = "A tiny model with random weights: its pictures are noise. For testing only."

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "shape": (list(SHAPES), {"tooltip": "Whose blocks and text encoders it has."})
            }
        }

    def load(self, shape: str):
        return toy_model(shape), toy_clip(shape), ToyVAE()


class ToyDiffusionModel:
    """Outputs the MODEL of a small file, as Load Diffusion Model does of a large one."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "load"
    CATEGORY = "story/test bench"
    DESCRIPTION = (
        "A tiny diffusion model from a file with random weights: its pictures are noise. For"
        " testing only."
    )

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "unet_name": (
                    "STRING",
                    {"tooltip": "A file by bench/toy_parts.py in models/diffusion_models."},
                )
            }
        }

    def load(self, unet_name: str):
        return (
            load_toy_transformer(
                Path(folder_paths.get_full_path_or_raise("diffusion_models", unet_name))
            ),
        )


class ToyTextEncoder:
    """Outputs a CLIP, as Load CLIP does."""

    RETURN_TYPES = ("CLIP",)
    FUNCTION = "load"
    CATEGORY = "story/test bench"
    DESCRIPTION = (
        "A tiny text encoder with random weights and the real tokenizer. For testing only."
    )

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "kind": (
                    [*KINDS, *ADAPTED, *SIGHTED],
                    {"tooltip": "Whose tokenizer and template it has."},
                )
            }
        }

    def load(self, kind: str):
        return (toy_encoder(SIGHTED.get(kind, kind), sight=kind in SIGHTED),)


class ToyLinearVAE:
    """Outputs a VAE of a format for which there is no small file, as Load VAE does."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "load"
    CATEGORY = "story/test bench"
    DESCRIPTION = "A tiny VAE with random weights: its pictures are noise. For testing only."

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "channels": ("INT", {"default": 64, "tooltip": "Of a latent."}),
                "pixels": ("INT", {"default": 16, "tooltip": "How wide a latent pixel is."}),
                "colours": ("INT", {"default": 4, "tooltip": "4: with opacity."}),
            }
        }

    def load(self, channels: int, pixels: int, colours: int):
        return (LinearVae(channels, pixels, colours=colours),)


class ToySeeds:
    """Outputs numbers as a list, as nodes of other packs do."""

    RETURN_TYPES = ("INT",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "read"
    CATEGORY = "story/test bench"
    DESCRIPTION = "Whole numbers as a list. For testing only."

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seeds": ("STRING", {"tooltip": "Like 1,2,3."})}}

    def read(self, seeds: str):
        return ([int(seed) for seed in seeds.split(",")],)


NODE_CLASS_MAPPINGS = {
    "ToyCheckpoint": ToyCheckpoint,
    "ToyDiffusionModel": ToyDiffusionModel,
    "ToyTextEncoder": ToyTextEncoder,
    "ToyLinearVAE": ToyLinearVAE,
    "ToySeeds": ToySeeds,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ToyCheckpoint": "Toy Checkpoint",
    "ToyDiffusionModel": "Toy Diffusion Model",
    "ToyTextEncoder": "Toy Text Encoder",
    "ToyLinearVAE": "Toy Linear VAE",
    "ToySeeds": "Toy Seeds",
}
