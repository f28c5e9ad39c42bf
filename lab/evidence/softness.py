"""How soft the demo model's cross-attention is: `bench/run -m lab softness [stories]`."""

import sys

import torch

from ..training.attention import Spelled, sharpness
from .demo import equipment
from .unsaid import draw_stories


def measure(stories: int = 20) -> None:
    """Of the shipped model, over the first stories of the evidence as SVR tells them: sharpness and
    the begin token's share, a block.
    """
    studio, _ = equipment()
    seen: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def look(logits: torch.Tensor, block: str) -> None:
        seen.setdefault(block, []).append(
            (sharpness(logits).mean((0, 2)), logits.softmax(-1)[..., 0].mean((0, 2)))
        )

    model = studio.model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = Spelled(look)
    with torch.inference_mode():
        for seed, story in enumerate(draw_stories(stories)):
            told = studio.prompt(story["identity"], story["frames"])
            positives, latents, *_ = studio.batch(
                told, studio.svr(told), frames_per_batch=0, width=256, height=256
            )
            studio.sample(model, positives[0], latents[0], steps=8, cfg=1.0, seed=seed)
    for block, calls in seen.items():
        sharp, begin = (torch.stack(values).mean(0) for values in zip(*calls))
        heads = ", ".join(f"{value:.1f}" for value in sharp.tolist())
        print(
            f"{block}: standard deviation of the logits over keys {sharp.mean():.2f} (heads"
            f" {heads}), begin token's share {begin.mean():.3f}"
        )


if __name__ == "__main__":
    measure(*map(int, sys.argv[1:2]))
