"""What IPCA costs in joint attention: one call of a Qwen-Image-shaped and of a Flux-shaped model,
with and without.

Tokens as at 1024x1024 and heads of the real size, 128; one layer of each kind. On a CPU there are 4
heads instead of 24, so that a call takes seconds: less work for each token around the attention,
which makes the share of what IPCA adds rather larger.
"""

from bench.studio import Studio
from bench.toy_encoders import WIDTH, toy_encoder
from bench.toy_models import L_WIDTH
from bench.toy_transformers import toy_transformer

from .timing import CUDA, compared, number_format

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


def rows(nodes: dict) -> list[tuple[str, ...]]:
    """Rows f and g of the benchmark's table."""
    return [row(letter, family, nodes) for letter, family in zip("fg", SIZES)]


def row(letter: str, family: str, nodes: dict) -> tuple[str, ...]:
    model = toy_transformer(family, dtype=number_format(), **SIZES[family])
    studio = Studio(nodes, model, toy_encoder(family), IDENTITY, FRAMES)
    positives, latents, *_ = studio.batch(select="1", width=SIZE, height=SIZE, model=model)
    patched = studio.ipca()

    def call(model):
        return lambda: studio.sample(model, positives[0], latents[0], steps=1, cfg=1.0)

    tokens = f"{(SIZE // 16) ** 2} image and {positives[0][0][0].shape[1]} text tokens"
    what = f"{family}-shaped call at {SIZE}x{SIZE}, {tokens}, IPCA on / off"
    return compared(letter, what, call(patched), call(model), "<= 1.03")
