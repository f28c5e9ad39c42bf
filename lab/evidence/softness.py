"""How soft the demo model's cross-attention is: `bench/run -m lab softness [stories]`."""

import sys
from collections import defaultdict

import torch

from bench.studio import with_override

from ..training.attention import Spelled, sharpness
from .demo import equipment
from .rows import ROWS, Setting, sampled
from .stories import draw_stories


def measure(stories: int = 20) -> None:
    """Of the shipped model, over the first stories of the evidence as SVR tells them: sharpness and
    the begin token's share, a block.
    """
    studio, _ = equipment()
    seen = defaultdict(list)  # by block, of every call [2, heads]

    def look(logits: torch.Tensor, block: str) -> None:
        begin = logits.softmax(-1)[..., 0].mean((0, 2))
        seen[block].append(torch.stack([sharpness(logits).mean((0, 2)), begin]))

    model, setting = with_override(studio.model, Spelled(look)), Setting(steps=8, cfg=1.0)
    with torch.inference_mode():
        for seed, story in enumerate(draw_stories(stories)):
            told = studio.prompt(story["identity"], story["frames"])
            sampled(studio, told, ROWS["d"], seed, setting, patched=lambda positive: model)
    for block, calls in seen.items():
        sharp, begin = torch.stack(calls).mean(0)
        heads = ", ".join(f"{value:.1f}" for value in sharp.tolist())
        print(
            f"{block}: standard deviation of the logits over keys {sharp.mean():.2f} (heads"
            f" {heads}), begin token's share {begin.mean():.3f}"
        )


if __name__ == "__main__":
    measure(*map(int, sys.argv[1:2]))
