"""The text encoder of the lab's transformer: the demo model's, without padding, where Lumina 2 has
Gemma.

It bears Gemma's name, so that the pack takes it for Lumina 2's, whose model normalises every row.
"""

from typing import Any

import comfy.sd
import comfy.supported_models_base
import torch
from comfy import sd1_clip
from comfy.text_encoders import lumina2

from demo.model import TEXT_CONFIG

KEY, MOST = "gemma2_2b", 77


class _Words(sd1_clip.SDTokenizer):
    """CLIP's tokenizer without padding."""

    def __init__(self, **given: Any):
        super().__init__(pad_to_max_length=False, embedding_key=KEY, **given)


class LuminaTokenizer(lumina2.LuminaTokenizer):
    def __init__(self, **given: Any):
        sd1_clip.SD1Tokenizer.__init__(self, name=KEY, tokenizer=_Words, **given)


class LengthTokenizer(LuminaTokenizer):
    """The same under a name by which the pack reweights embeddings, as if length were read."""


class _Tower(sd1_clip.SDClipModel):
    """CLIP's tower. It reads from left to right, so the padding that it needs can be cut off."""

    def forward(self, tokens: list[list[int]]) -> Any:
        longest = max(map(len, tokens))
        end = self.special_tokens["end"]
        padded = [text + [end] * (MOST - len(text)) for text in tokens]
        hidden, pooled, *more = super().forward(padded)
        return hidden[:, :longest], pooled, *more


class _Encoder(sd1_clip.SD1ClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: dict | None = None):
        super().__init__(device, dtype, model_options or {}, name=KEY, clip_model=_Tower)


def build_encoder(reads_length: bool = False) -> comfy.sd.CLIP:
    """The CLIP without weights. `reads_length`: the pack is to take it for one whose model reads an
    embedding's length, and reweight embeddings.
    """
    tokenizer = LengthTokenizer if reads_length else LuminaTokenizer
    target = comfy.supported_models_base.ClipTarget(tokenizer, _Encoder)
    config = {f"{KEY}_model_config": TEXT_CONFIG, "dtype": torch.float32}
    return comfy.sd.CLIP(target, model_options=config)


def tower_of(clip: comfy.sd.CLIP) -> torch.nn.Module:
    """The tower's layers, whose weights are the demo model's."""
    return getattr(clip.cond_stage_model, KEY).transformer
