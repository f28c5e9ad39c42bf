"""What IPCA costs in joint attention: one call of a Qwen-Image-shaped and of a Flux-shaped model,
with and without.

Tokens as at 1024x1024 and heads of the real size, 128; one layer of each kind. On a CPU there are 4
heads instead of 24, so that a call takes seconds: less work for each token around the attention,
which makes the share of what IPCA adds rather larger.
"""

from functools import partial

from bench.studio import Studio
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import L_WIDTH
from bench.toy_transformers import toy_transformer

from .timing import CUDA, Line, compared, number_format

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
QWEN = {"num_layers": 1, "attention_head_dim": HEAD, "num_attention_heads": HEADS}
FLUX = {"depth": 1, "depth_single_blocks": 1, "hidden_size": HEADS * HEAD, "num_heads": HEADS}
FLUX_READS = {"context_in_dim": WIDTH, "vec_in_dim": L_WIDTH}
SIZES = {
    "qwen-image": {**QWEN, "joint_attention_dim": WIDTH, "axes_dims_rope": tuple(AXES)},
    "flux": {**FLUX, **FLUX_READS, "mlp_ratio": 4.0, "axes_dim": AXES},
}


def rows(nodes: dict) -> list[Line]:
    return [row(family, nodes) for family in SIZES]


def row(family: str, nodes: dict) -> Line:
    model = toy_transformer(family, dtype=number_format(), **SIZES[family])
    studio = Studio(nodes, model, toy_encoder(family), IDENTITY, FRAMES)
    positives, latents, *_ = studio.batch(select="1", width=SIZE, height=SIZE, model=model)
    given = {"positive": positives[0], "latent": latents[0], "steps": 1, "cfg": 1.0}
    on, off = (partial(studio.sample, each, **given) for each in (studio.ipca(), model))
    tokens = f"{(SIZE // 16) ** 2} image and {positives[0][0][0].shape[1]} text tokens"
    what = f"{family}-shaped call at {SIZE}x{SIZE}, {tokens}, IPCA on / off"
    return compared(what, on, off, "<= 1.03")
