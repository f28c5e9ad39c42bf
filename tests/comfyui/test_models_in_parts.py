"""The small files that stand in for models in parts are of the family that Load Diffusion Model
makes of the real ones.
"""

import re

import comfy.model_detection
import pytest
import torch
from safetensors import safe_open

from bench.toy_parts import READS, load_toy_transformer, write_toy_transformer
from bench.toy_transformers import SHAPES, toy_transformer

FAMILIES = [family for family in READS if family in SHAPES]

# Not Qwen-Image 2.1's: this ComfyUI does not have its class, and a stand-in has no real files.
REAL_WIDTHS = {
    "qwen-image": {
        "attention_head_dim": 128,
        "num_attention_heads": 24,
        "joint_attention_dim": 3584,
        "axes_dims_rope": (16, 56, 56),
    },
    "z-image": {
        "dim": 3840,
        "n_heads": 30,
        "n_kv_heads": 30,
        "cap_feat_dim": 2560,
        "axes_dims": [32, 48, 48],
        "multiple_of": 256,
    },
    "flux2": {
        "hidden_size": 6144,
        "num_heads": 48,
        "mlp_ratio": 3.0,
        "context_in_dim": 15360,
        "axes_dim": [32] * 4,
    },
}


def kinds(names) -> set[str]:
    """Names of weights without the numbers of blocks."""
    return {re.sub(r"\.\d+\.", ".N.", name) for name in names}


@pytest.mark.parametrize("family", [family for family in FAMILIES if family in REAL_WIDTHS])
def test_names_and_family_are_those_of_the_real_files(tmp_path, family):
    """By ComfyUI's own detection on weights of the real widths, which take no memory."""
    supported, shape = SHAPES[family]
    config = supported({**shape, **REAL_WIDTHS[family]})
    config.set_inference_dtype(torch.bfloat16, None)
    real = config.get_model({}, "", device=torch.device("meta")).diffusion_model.state_dict()
    assert type(comfy.model_detection.model_config_from_unet(real, "")) is supported
    write_toy_transformer(tmp_path / "toy.safetensors", family)
    with safe_open(tmp_path / "toy.safetensors", "pt") as weights:
        assert kinds(weights.keys()) == kinds(real)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_is_read_back_as_it_was_written(tmp_path, family):
    write_toy_transformer(tmp_path / "toy.safetensors", family, seed=5)
    loaded = load_toy_transformer(tmp_path / "toy.safetensors").model.diffusion_model.state_dict()
    made = toy_transformer(family, 5, **READS[family]).model.diffusion_model.state_dict()
    assert loaded.keys() == made.keys()
    changed = [name for name in made if not torch.equal(loaded[name], made[name])]
    assert not [name for name in changed if "txt_attn.qkv" not in name]
