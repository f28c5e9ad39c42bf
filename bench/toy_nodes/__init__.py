"""A node that stands in for Load Checkpoint where there is no checkpoint: the test bench's small random-weight models."""

from bench.toy_models import SHAPES, ToyVAE, toy_clip, toy_model


class ToyCheckpoint:
    """Outputs MODEL, CLIP and VAE, as Load Checkpoint does."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load"
    CATEGORY = "story/test bench"
    DESCRIPTION = "A tiny model with random weights: its pictures are noise. For testing only."

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"shape": (list(SHAPES), {"tooltip": "Whose blocks and text encoders it has."})}}

    def load(self, shape: str):
        return toy_model(shape), toy_clip(shape), ToyVAE()


NODE_CLASS_MAPPINGS = {"ToyCheckpoint": ToyCheckpoint}
NODE_DISPLAY_NAME_MAPPINGS = {"ToyCheckpoint": "Toy Checkpoint"}
