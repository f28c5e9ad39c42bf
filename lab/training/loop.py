"""The one loop of every training: it moves the weights, lets a moving average follow them, shows
how far it is, and keeps all of it in a file, from which the next call goes on.

What is trained brings its network, its optimizers with their rates, and the loss of a batch.
"""

import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.hf_argparser import HfArg

from ..files import progress, replace_whole

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"  # not committed
SAVE, LOOK = 60, 180  # seconds between two checkpoints, and between two looks at the result
Losses = tuple[torch.Tensor, dict[str, torch.Tensor]]


def option(default: object, meaning: str) -> Any:
    return HfArg(default=default, help=meaning)


@dataclass
class Options:
    """Of the command of every training."""

    seed: int = option(1, "of everything random")
    minutes: float = option(math.inf, "stop after this long, to be gone on with")
    within: float = option(math.inf, "minutes for the whole training, where they end before that")
    stop_after: float = option(math.inf, "this many steps, to be gone on with")


def checkpoint(name: str) -> Path:
    return CHECKPOINTS / f"{name}.pt"


@dataclass
class Training:
    """A network in training, its moving average and what it has seen, kept in a file with a record
    of how it was made.
    """

    path: Path | None
    network: torch.nn.Module
    # Of every optimizer its learning rate: by the share that is done, and the steps so far.
    rates: dict[torch.optim.Optimizer, Callable[[float, int], float]]
    record: dict[str, Any]
    begun: int = 0  # images or steps that were seen before
    average: float = 0.0  # share of a whole training that the moving average looks back over
    clip: float = 1.0  # the gradient's largest norm

    def __post_init__(self):
        self.record["hardware"] = (
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        )
        self.state = {"seen": self.begun, "begun": self.begun, "step": 0, "seconds": 0.0}
        self.weights = dict(self.network.named_parameters())
        averaged = self.weights if self.average else {}
        self.ema = {name: weight.detach().clone() for name, weight in averaged.items()}
        if self.path is not None and self.path.exists():
            where = next(self.network.parameters()).device
            saved = torch.load(self.path, weights_only=True, map_location=where)
            self.network.load_state_dict(saved["model"])
            for optimizer, state in zip(self.rates, saved["optimizers"]):
                optimizer.load_state_dict(state)
            self.ema, self.state = saved["ema"], saved["state"]
            print(f"going on after {self.state['seen']}", flush=True)

    def run(
        self,
        options: Options,
        target: int,
        losses: Callable[[], Losses],
        size: int = 1,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Up to `target` in all or `within` minutes, whichever comes first: the learning rates fall
        towards it. `losses` draws `size` images, or stands for a step; `look` reports now and then.
        """
        state, end = self.state, self.state["step"] + options.stop_after
        bar = progress(None, "train", target, "images" if size > 1 else "steps")
        bar.update(state["seen"])
        start = last = time.monotonic()
        while (share := share_done(state, target, options.within)) < 1 and state["step"] < end:
            if last - start >= 60 * options.minutes:
                break
            loss, named = losses()
            self.step(loss, named, share, size)
            now = time.monotonic()
            state["seconds"] += now - last
            bar.update(size)
            shown = {name: f"{state[name]:.4f}" for name in named}
            bar.set_postfix(**shown, done=f"{share:.1%}", refresh=False)
            for every, act in ((SAVE, self.save), (LOOK, look)):
                if now // every > last // every:
                    act()
            last = now
        self.save()

    def step(self, loss: torch.Tensor, named: dict, share: float, size: int = 1) -> None:
        """Move the weights against `loss`; of the `named` numbers running means are kept."""
        for optimizer, rate in self.rates.items():
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate(share, self.state["step"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        for optimizer in self.rates:
            optimizer.step()
        self.state["seen"] += size
        step = self.state["step"] = self.state["step"] + 1
        for name, value in named.items():
            mean = self.state.get(name, value.item())
            self.state[name] = mean + (value.item() - mean) / min(step, 200)
        if self.ema:  # looks back less at the beginning
            horizon = min(1 + step / 4, 1 + self.average * step / max(share, 1e-3))
            weights = [weight.detach() for weight in self.weights.values()]
            torch._foreach_lerp_(list(self.ema.values()), weights, 1 / horizon)

    def save(self) -> None:
        """One rolling checkpoint, replaced as a whole."""
        optimizers = [optimizer.state_dict() for optimizer in self.rates]
        saved = {"model": self.network.state_dict(), "ema": self.ema, "optimizers": optimizers}
        saved |= {"state": self.state, "record": self.record}
        if self.path is not None:
            self.path.parent.mkdir(exist_ok=True)
            replace_whole(self.path, lambda part: torch.save(saved, part))


def cosine(share: float) -> float:
    """From 1 down to 0.02 at the end of the training."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))


def share_done(state: dict, target: int, within: float) -> float:
    """How much of the training is done, by its target or by minutes, whichever is further."""
    by_target = (state["seen"] - state["begun"]) / max(target - state["begun"], 1)
    return max(by_target, state["seconds"] / (60 * within))
