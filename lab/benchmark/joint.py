"""What IPCA costs in joint attention: one call of a Qwen-Image-shaped and of a Flux-shaped model,
with and without.

Tokens as at 1024x1024 and heads of the real size, 128; one layer of each kind. On a CPU there are 4
heads instead of 24, so that a call takes seconds: less work for each token around the attention,
which makes the share of what IPCA adds rather larger.
"""

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from bench.studio import Studio
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import L_WIDTH, randomize
from bench.toy_transformers import SHAPES

from .timing import CUDA, DEVICE, compared, number_format

HEADS, HEAD = 24 if CUDA else 4, 128
AXES = [16, 56, 56]
SIZE = 1024
IDENTITY = (
    "A loose watercolour painting on rough paper of a young girl with short copper hair cut in a"
    " fringe, round glasses with a thin golden rim, freckles, a yellow raincoat with large wooden"
    " buttons, blue rubber boots and a small green rucksack from which a map looks out"
)
FRAMES = [
    "feeding ducks at a pond",
    "reading in a sunny library",
    "walking through falling snow",
    "baking bread in a small kitchen",
]
SIZES = {
    "qwen-image": {
        "num_layers": 1,
        "attention_head_dim": HEAD,
        "num_attention_heads": HEADS,
        "joint_attention_dim": WIDTH,
        "axes_dims_rope": tuple(AXES),
    },
    "flux": {
        "depth": 1,
        "depth_single_blocks": 1,
        "hidden_size": HEADS * HEAD,
        "num_heads": HEADS,
        "mlp_ratio": 4.0,
        "axes_dim": AXES,
        "context_in_dim": WIDTH,
        "vec_in_dim": L_WIDTH,
    },
}


def joint_rows(nodes: dict) -> list[tuple]:
    """Rows of the benchmark's table."""
    return [_row(letter, family, nodes) for letter, family in (("f", "qwen-image"), ("g", "flux"))]


def _row(letter: str, family: str, nodes: dict) -> tuple:
    studio = Studio(
        nodes, _transformer(family), toy_encoder(family), identity=IDENTITY, frames=FRAMES
    )
    positives, latents, *_ = studio.batch(select="1", width=SIZE, height=SIZE, model=studio.model)
    patched = studio.ipca()

    def call(model):
        return lambda: studio.sample(model, positives[0], latents[0], steps=1, cfg=1.0)

    tokens = f"{(SIZE // 16) ** 2} image and {positives[0][0][0].shape[1]} text tokens"
    what = f"{family}-shaped call at {SIZE}x{SIZE}, {tokens}, IPCA on / off"
    return compared(letter, what, call(patched), call(studio.model), "<= 1.03")


def _transformer(family: str) -> ModelPatcher:
    supported, shape = SHAPES[family]
    config = supported({**shape, **SIZES[family]})
    config.set_inference_dtype(number_format(), None)
    model = config.get_model({}, "", device=DEVICE)
    randomize(model.diffusion_model, 1)
    return ModelPatcher(model, comfy.model_management.get_torch_device(), torch.device("cpu"))
