"""How well the demo model draws what a prompt says, by the judge: `bench/run -m lab quality
[prompts] [sheet.png]`.
"""

import sys

import comfy.sample
import numpy as np
import torch
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from bench.studio import encode_each
from demo.model import load_demo_model

from ..world.captions import draw_story
from ..world.measure import as_bytes
from . import judge as judging

STEPS, CFG, BATCH = 20, 4.0, 50


def sample(model, clip, prompts: list[str], seed: int) -> torch.Tensor:
    """Pictures in -1..1 [n, 3, 32, 32] of prompts, each from its own noise: 20 Euler steps."""
    latent = torch.zeros(len(prompts), 3, 32, 32)
    how = (STEPS, CFG, "euler", "normal", encode_each(clip, prompts), encode_each(clip, [""]))
    noise = comfy.sample.prepare_noise(latent, seed)
    drawn = comfy.sample.sample(model, noise, *how, latent, seed=seed, disable_pbar=True)
    return drawn.clamp(-1, 1)


def measure(count: int = 500, picture_path: str | None = None) -> None:
    model, clip, _ = load_demo_model()
    judge, rng = judging.load(), np.random.default_rng(2024)
    drawn = []
    for start in range(0, count, BATCH):
        stories = [draw_story(rng, 1) for _ in range(min(BATCH, count - start))]
        prompts = [" ".join(story["phrases"]) for story in stories]
        drawn.append((sample(model, clip, prompts, start), stories))
    for attribute, values in judging.right(judge, drawn).items():
        print(f"{attribute}: {np.mean(values):.3f} of {len(values)}")
    if picture_path:
        shown = as_bytes(torch.cat([pictures for pictures, _ in drawn])[:70])
        pictures = torch.from_numpy(shown).movedim(-1, 1)
        sheet = to_pil_image(make_grid(pictures, 14, padding=1, pad_value=255))
        sheet.resize((3 * sheet.width, 3 * sheet.height), 0).save(picture_path)


if __name__ == "__main__":
    count, *path = sys.argv[1:] or [500]
    measure(int(count), *path)
