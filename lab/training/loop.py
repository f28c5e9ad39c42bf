"""The one loop of every training: it moves the weights, lets a moving average follow them, shows
how far it is, and keeps all of it in a file, from which the next call goes on.

What is trained brings its network, its optimizers with their learning rates, and a batch's loss.
"""

import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.hf_argparser import HfArg

from ..files import progress, replace_whole

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"  # not committed
SAVE, LOOK = 60, 180  # seconds between two checkpoints, and between two looks at the result
# Of the share of the training that is done, and the steps so far.
Rate = Callable[[float, int], float]
Losses = tuple[torch.Tensor, dict[str, torch.Tensor]]


@dataclass
class Options:
    """Of the command of every training."""

    seed: int = HfArg(default=1, help="of everything random")
    minutes: float = HfArg(default=math.inf, help="stop after this long, to be gone on with")
    within: float = HfArg(
        default=math.inf, help="minutes for the whole training, where they end before its target"
    )
    stop_after: int | None = HfArg(default=None, help="this many steps, to be gone on with")


def checkpoint(name: str) -> Path:
    return CHECKPOINTS / f"{name}.pt"


class Training:
    """A network in training, its moving average, and what it has seen; `record` is kept with them.

    `average` is the share of a whole training over which the moving average looks back, less at its
    beginning; with 0 there is none. `begun` pictures or steps were seen before this training.
    """

    def __init__(
        self,
        name: str,
        network: torch.nn.Module,
        rates: dict[torch.optim.Optimizer, Rate],
        *,
        average: float = 0.0,
        begun: int = 0,
        clip: float = 1.0,
        kept: bool = True,
        **record: object,
    ):
        self.name, self.network, self.rates = name, network, rates
        self.average, self.clip, self.kept = average, clip, kept
        hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        self.record = {**record, "hardware": hardware}
        self.state = {"seen": begun, "begun": begun, "step": 0, "seconds": 0.0}
        self.weights = dict(network.named_parameters())
        self.ema = {name: w.detach().clone() for name, w in self.weights.items() if average}
        if kept and checkpoint(name).exists():
            where = next(network.parameters()).device
            saved = torch.load(checkpoint(name), weights_only=True, map_location=where)
            network.load_state_dict(saved["model"])
            for optimizer, state in zip(rates, saved["optimizers"]):
                optimizer.load_state_dict(state)
            self.ema, self.state = saved["ema"], saved["state"]
            print(f"going on after {self.state['seen']}", flush=True)

    def run(
        self,
        options: Options,
        target: int,
        losses: Callable[[], Losses],
        size: int = 1,
        unit: str = "steps",
        look: Callable[[], None] | None = None,
    ) -> None:
        """Up to `target` images or steps in all or `within` minutes, whichever comes first: the
        learning rates fall towards it. A call of `losses` stands for `size` of them.

        `look` is called now and then, to report how well it goes.
        """
        state, bar = self.state, progress(None, self.name, target, unit)
        bar.update(state["seen"])
        begun = last = time.monotonic()
        end = math.inf if options.stop_after is None else state["step"] + options.stop_after
        while (share := share_done(state, target, options.within)) < 1 and state["step"] < end:
            if last - begun >= 60 * options.minutes:
                break
            loss, named = losses()
            self.step(loss, named, share, size)
            now = time.monotonic()
            state["seconds"] += now - last
            bar.update(size)
            shown = {name: f"{state[name]:.4f}" for name in named}
            bar.set_postfix(**shown, done=f"{share:.1%}", refresh=False)
            if now // SAVE > last // SAVE:
                self.save()
            if look is not None and now // LOOK > last // LOOK:
                look()
            last = now
        self.save()

    def step(self, loss: torch.Tensor, named: dict, share: float, size: int = 1) -> None:
        """Move the weights against `loss`; the running means of the `named` numbers are shown."""
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
        if self.average:
            horizon = min(1 + step / 4, 1 + self.average * step / max(share, 1e-3))
            weights = [weight.detach() for weight in self.weights.values()]
            torch._foreach_lerp_(list(self.ema.values()), weights, 1 / horizon)

    def save(self) -> None:
        """One rolling checkpoint, replaced as a whole."""
        if not self.kept:
            return
        path = checkpoint(self.name)
        path.parent.mkdir(exist_ok=True)
        saved = {
            "model": self.network.state_dict(),
            "ema": self.ema,
            "optimizers": [optimizer.state_dict() for optimizer in self.rates],
            "state": self.state,
            "record": self.record,
        }
        replace_whole(path, lambda part: torch.save(saved, part))


def share_done(state: dict, target: int, within: float) -> float:
    """How much of the training is done, by its target or by minutes, whichever is further."""
    return max(
        (state["seen"] - state["begun"]) / max(target - state["begun"], 1),
        state["seconds"] / (60 * within),
    )
