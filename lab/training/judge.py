"""The judge: a small classifier that names what is in a picture of the world. `bench/run -m lab
judge` trains it.

It sees drawn pictures alone, a little blurred and tinted so that a generated picture does not
confuse it, and is checked on held-out drawings.
"""

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ..files import replace_whole
from ..world.render import NAMES, Attributes, Renderer
from . import loop, precision

WEIGHTS = loop.checkpoint("judge")


class Judge(nn.Module):
    """[n, 3, 32, 32] in -1..1 -> logits of every attribute."""

    def __init__(self):
        super().__init__()
        layers, widths = [], (3, 16, 32, 64)
        for before, width in pairwise(widths):
            for channels in (before, width):
                convolution = nn.Conv2d(channels, width, 3, padding=1)
                layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 16, 256), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(NAMES[name])) for name in NAMES})

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.body(pictures)
        return {attribute: head(features) for attribute, head in self.heads.items()}

    @torch.inference_mode()
    def name(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """The index of the likeliest value of every attribute: int64 [n] each."""
        self.eval()
        return {attribute: logits.argmax(1) for attribute, logits in self(pictures).items()}


def named(judge: Judge, pictures: torch.Tensor) -> dict[str, list[str]]:
    """What the judge sees, in words: the likeliest value of every attribute of every picture."""
    found = judge.name(pictures)
    return {name: [NAMES[name][index] for index in found[name].tolist()] for name in found}


def right(judge: Judge, drawn: Iterable[tuple]) -> dict[str, list[bool]]:
    """For every attribute: in which pictures the judge sees it right, of those whose story says it.
    `drawn` are pictures with their stories of one frame, which always say kind, scene and prop.
    """
    found: dict[str, list[bool]] = {name: [] for name in NAMES}
    for pictures, stories in drawn:
        for name, values in judge.name(pictures).items():
            for value, story in zip(values.tolist(), stories):
                if story["said"].get(name, True):
                    found[name].append(value == story["picture"][name])
    return found


def drawn(rng: np.random.Generator, size: int, renderer: Renderer) -> tuple[torch.Tensor, dict]:
    """Pictures with attributes drawn independently, and their true labels."""
    labels = {name: rng.integers(len(values), size=size) for name, values in NAMES.items()}
    pictures, _ = renderer.tensors(Attributes(**labels, flip=rng.integers(2, size=size)))
    return pictures, {name: torch.from_numpy(value) for name, value in labels.items()}


def roughened(pictures: torch.Tensor) -> torch.Tensor:
    """Some noise, tint and blur, different for every picture."""
    size = (pictures.shape[0], 1, 1, 1)
    blurred = nn.functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = pictures.lerp(blurred, 0.4 * torch.rand(size))
    pictures = pictures * (1 + 0.1 * torch.randn(size)) + 0.06 * torch.randn(size[0], 3, 1, 1)
    return pictures + 0.1 * torch.rand(size) * torch.randn(pictures.shape)


def train(steps: int = 600, batch: int = 128) -> Judge:
    torch.manual_seed(0)
    where = precision.device()
    renderer, rng, judge = Renderer(), np.random.default_rng(0), Judge().to(where)
    print(precision.told(where), flush=True)
    optimizer = torch.optim.AdamW(judge.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    optimizer.register_step_post_hook(lambda *_: schedule.step())

    def losses() -> loop.Losses:
        pictures, labels = drawn(rng, batch, renderer)
        with precision.autocast(where):
            logits = judge(roughened(pictures).to(where))
        of = nn.functional.cross_entropy
        loss = sum(of(logits[name].float(), labels[name].to(where)) for name in NAMES)
        return loss, {"loss": loss}

    rates = {optimizer: lambda *_: schedule.get_last_lr()[0]}
    loop.Training(None, judge, rates, {}, clip=math.inf).run(loop.Options(), steps, losses)
    judge.cpu()
    print(f"judge: right on held-out drawings: {held_out(judge)}", flush=True)
    WEIGHTS.parent.mkdir(exist_ok=True)
    replace_whole(WEIGHTS, lambda part: torch.save(judge.state_dict(), part))
    return judge


def held_out(judge: Judge, count: int = 4000) -> dict[str, float]:
    pictures, labels = drawn(np.random.default_rng(12345), count, Renderer())
    right = {name: found == labels[name] for name, found in judge.name(pictures).items()}
    return {name: round(found.float().mean().item(), 4) for name, found in right.items()}


def load() -> Judge:
    """The trained judge; trains it first where there is none."""
    if not WEIGHTS.exists():
        return train()
    judge = Judge()
    judge.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return judge


if __name__ == "__main__":
    train()
