"""How well the demo model draws what a prompt says, by the judge: `bench/run -m lab quality
[prompts] [sheet.png]`.
"""

import sys

import comfy.sample
import numpy as np
import torch
from PIL import Image

from bench.studio import encode_each
from demo.model import load_demo_model

from ..world.captions import draw_story
from ..world.measure import as_bytes
from ..world.render import sheet
from . import judge as judging

STEPS, CFG, BATCH = 20, 4.0, 50


def sample(model, clip, prompts: list[str], seed: int) -> torch.Tensor:
    """Pictures in -1..1 [n, 3, 32, 32] of prompts, each from its own noise: 20 Euler steps."""
    positive, negative = encode_each(clip, prompts), encode_each(clip, [""])
    latent = torch.zeros(len(prompts), 3, 32, 32)
    noise = comfy.sample.prepare_noise(latent, seed)
    return comfy.sample.sample(
        model,
        noise,
        STEPS,
        CFG,
        "euler",
        "normal",
        positive,
        negative,
        latent,
        seed=seed,
        disable_pbar=True,
    ).clamp(-1, 1)


def measure(count: int, picture_path: str | None) -> None:
    model, clip, _ = load_demo_model()
    judge, rng = judging.load(), np.random.default_rng(2024)
    right: dict[str, list[float]] = {}
    shown = []
    for start in range(0, count, BATCH):
        stories = [draw_story(rng, 1) for _ in range(min(BATCH, count - start))]
        pictures = sample(
            model, clip, [" ".join(story["phrases"]) for story in stories], seed=start
        )
        shown.append(pictures)
        found = judge.name(pictures)
        for index, story in enumerate(stories):
            said = {"kind": True, "scene": True, "prop": True, **story["said"]}
            for attribute, was_said in said.items():
                if was_said:
                    right.setdefault(attribute, []).append(
                        float(found[attribute][index] == story["picture"][attribute])
                    )
    for attribute, values in right.items():
        print(f"{attribute}: {np.mean(values):.3f} of {len(values)}")
    if picture_path:
        Image.fromarray(sheet(as_bytes(torch.cat(shown)[:70]), 14, zoom=3)).save(picture_path)


if __name__ == "__main__":
    measure(
        int(sys.argv[1]) if len(sys.argv) > 1 else 500, sys.argv[2] if len(sys.argv) > 2 else None
    )
