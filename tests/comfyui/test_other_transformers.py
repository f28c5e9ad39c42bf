"""Transformers whose attention the pack does not know: each refused by name before anything is
sampled.
"""

import comfy.supported_models as models
import pytest
import torch
from comfy.model_patcher import ModelPatcher

from bench.toy_transformers import toy_transformer

# ERNIE, HiDream-O1 and others of newer cores call no override; of the rest, text is somewhere else
# than the table can say.
OTHERS = [
    *("AuraFlow", "PixArtAlpha", "HunyuanDiT", "WAN21_T2V", "Omnigen2"),
    *("ErnieImage", "Lens", "HiDreamO1", "JoyImage", "PixelDiTT2I", "Boogu", "Kandinsky5Image"),
]


def model_of(name: str) -> ModelPatcher:
    """A MODEL in ComfyUI's own class and full size, whose weights take no memory."""
    supported = getattr(models, name)
    config = supported(dict(supported.unet_config))
    config.set_inference_dtype(torch.float32, None)
    device = torch.device("meta")
    return ModelPatcher(config.get_model({}, "", device=device), device, device)


def test_a_model_that_came_after_this_pack_is_refused_by_name(studio):
    """Also where its blocks are those of a model that is known: where its text is has to be said
    first.
    """
    model = toy_transformer("flux").clone()
    model.model.__class__ = type("Newcomer", (type(model.model),), {})
    with pytest.raises(
        ValueError, match=r"^IPCA Patch - model: Newcomer \(Flux\) .* or one of Qwen-Image, "
    ):
        studio("sdxl").ipca(model)


@pytest.mark.parametrize("name", [name for name in OTHERS if hasattr(models, name)])
def test_it_is_refused_by_name(name, studio):
    s = studio("sdxl")
    model = model_of(name)
    with pytest.raises(
        ValueError,
        match=rf"^IPCA Patch - model: {type(model.model).__name__} .* or one of Qwen-Image, ",
    ):
        s.ipca(model)
