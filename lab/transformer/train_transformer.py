"""Trains the lab's transformer: `make train TRANSFORMER=1`. Stop it and call it again to go on;
`ARGS=--export` writes its averaged weights.

By rectified flow, from scratch, with the demo model's text encoder frozen. The captions are those
of `world/captions.py` as they are. Matrices move by Muon, the rest by AdamW; the learning rate
falls to 0 towards the end.
"""

import argparse
import json
import math
import os
import platform
import time
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from demo.model import TEXT_WIDTH

from ..files import replace_whole
from ..training import CHECKPOINTS, precision
from ..training import judge as judging
from ..training.captions import BEGIN, END
from ..world.captions import draw_story
from ..world.render import NAMES, Renderer
from .captions import Captions, Encoder
from .model import PICTURE, SHIFT, WEIGHTS, build_transformer, initialise
from .muon import Muon

CHECKPOINT = CHECKPOINTS / "story-transformer.pt"
MUON_RATE, MUON_DECAY, ADAM_RATE = 0.02, 0.1, 2e-3
PRINT, SAVE, JUDGE = 20, 60, 180  # seconds between two of them
STAGES = ("layers.", "noise_refiner.", "context_refiner.")
KINDS_SAID = ("kind", "scene", "prop")  # a caption of one scene always says them


def loss_of(
    model, encoder: Encoder, batch, renderer: Renderer, generator: torch.Generator
) -> torch.Tensor:
    """Mean squared error of the velocity, noise less picture; the character's pixels count twice.

    Everything random is drawn on the CPU and then taken to the model's device.
    """
    texts, attributes = batch
    where = encoder.rows.device
    pictures, figure = renderer(attributes)
    clean = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    clean = model.latent_format.process_in(clean).to(where)
    size = clean.shape[0]
    even = (torch.arange(size) + torch.rand(size, generator=generator)) / size  # one stratum each
    moment = shifted(even).to(where)
    noise = torch.randn(clean.shape, generator=generator).to(where)
    share = moment.view(-1, 1, 1, 1)
    text = encoder(texts)
    mixed = (1 - share) * clean + share * noise
    out = model.diffusion_model(mixed, moment, text, text.shape[1], transformer_options={})
    error = (out.float() - (noise - clean)).square().mean(1)
    weight = 1 + torch.from_numpy(figure).float().to(where)
    return (error * weight).sum() / weight.sum()


def shifted(even: torch.Tensor) -> torch.Tensor:
    """Moments of the flow, 0 the picture and 1 the noise, from even ones: ComfyUI's own shift."""
    return SHIFT * even / (1 + (SHIFT - 1) * even)


def learning_rate(share: float, steps: int) -> float:
    """Of the peak: 100 steps of warm-up, level for two fifths, then straight down to 0."""
    return min(1.0, (steps + 1) / 100, max(0.0, (1 - share) / 0.6))


@torch.no_grad()
def whiten(network: torch.nn.Module, captions: Captions, texts: int = 1500) -> None:
    """Let the first layer of the text begin with rows that are centred and of equal spread.

    The encoder's rows have a large common part, beside which words differ little once their length
    is normalised.
    """
    rows = torch.cat([captions.encoder([captions.draw()[0]])[0] for _ in range(texts)])
    rows = torch.nn.functional.rms_norm(rows, (TEXT_WIDTH,))
    spread, directions = torch.linalg.eigh(torch.cov(rows.T))
    narrowed = spread.clamp(min=1e-3 * float(spread.max())).rsqrt()
    linear = network.cap_embedder[1]
    turn = torch.linalg.qr(torch.randn(linear.weight.shape[0], TEXT_WIDTH).to(rows))[0]
    linear.weight.copy_(turn @ directions @ torch.diag(narrowed) @ directions.T)
    linear.bias.copy_(-linear.weight @ rows.mean(0))


class Training:
    """Model, its moving average and its optimizers, kept in a file from which it goes on."""

    def __init__(self, seed: int, checkpoint: Path = CHECKPOINT):
        torch.manual_seed(seed)
        self.seed, self.checkpoint, self.where = seed, checkpoint, precision.device()
        self.encoder, self.model = Encoder(self.where), build_transformer()
        self.network = self.model.diffusion_model.to(self.where).requires_grad_(True)
        initialise(self.network)
        self.captions = Captions(self.encoder, np.random.default_rng(seed))
        self.renderer = Renderer()
        self.state = {"seen": 0, "step": 0, "loss": 0.0, "seconds": 0.0}
        self.named = dict(self.network.named_parameters())
        matrices = {n: p for n, p in self.named.items() if p.ndim == 2 and n.startswith(STAGES)}
        others = [p for n, p in self.named.items() if n not in matrices]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
        if checkpoint.exists():
            self.go_on(torch.load(checkpoint, weights_only=True, map_location=self.where))
        else:
            whiten(self.network, self.captions)
            self.ema = {name: value.detach().clone() for name, value in self.named.items()}
        self.captions.rng = np.random.default_rng((seed, self.state["step"]))
        self.generator = torch.Generator().manual_seed(seed + self.state["step"])

    def go_on(self, saved: dict) -> None:
        self.network.load_state_dict(saved["model"])
        self.ema, self.state, self.muon.state = saved["ema"], saved["state"], saved["muon"]
        self.adam.load_state_dict(saved["adam"])
        print(f"going on at {self.state['seen']} images", flush=True)

    def save(self) -> None:
        """One rolling checkpoint, replaced as a whole."""
        self.checkpoint.parent.mkdir(exist_ok=True)
        hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        saved = {
            "model": self.network.state_dict(),
            "ema": self.ema,
            "muon": self.muon.state,
            "adam": self.adam.state_dict(),
            "state": self.state,
            "record": {"seed": self.seed, "hardware": hardware},
        }
        replace_whole(self.checkpoint, lambda part: torch.save(saved, part))

    def step(self, batch, share: float) -> None:
        # On a CPU float32: compiled blocks are faster in it than with bfloat16's casts.
        with precision.autocast(self.where) if self.where.type == "cuda" else nullcontext():
            loss = loss_of(self.model, self.encoder, batch, self.renderer, self.generator)
        self.network.zero_grad(set_to_none=False)
        loss.backward()
        rate = learning_rate(share, self.state["step"])
        torch.nn.utils.clip_grad_norm_(self.named.values(), 1.0)
        self.muon.step(MUON_RATE * rate, MUON_DECAY)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * rate
        self.adam.step()
        self.state["seen"] += len(batch[0])
        self.state["step"] += 1
        self.state["loss"] += (loss.item() - self.state["loss"]) / min(self.state["step"], 100)
        self.follow(share)

    def follow(self, share: float) -> None:
        """Move the average towards the weights. It looks back over about the last 4 % of a whole
        training.
        """
        step = self.state["step"]
        horizon = min(1 + step / 4, 1 + 0.04 * step / max(share, 1e-3))
        weights = [value.detach() for value in self.named.values()]
        torch._foreach_lerp_(list(self.ema.values()), weights, 1 / horizon)

    @torch.no_grad()
    def judged(self, judge: judging.Judge, count: int, steps: int) -> dict[str, float]:
        """Shares right on captions of one scene, drawn by the averaged weights at CFG 4."""
        fused = [block.__dict__.pop("forward", None) for block in blocks_of(self.network)]
        kept = {name: value.detach().clone() for name, value in self.named.items()}
        torch._foreach_copy_(list(self.named.values()), list(self.ema.values()))
        rng, found = np.random.default_rng(7), defaultdict(list)
        groups: dict[int, list] = defaultdict(list)
        for _ in range(count):
            story = draw_story(rng, 1)
            tokens = [token for text in story["phrases"] for token in self.encoder.tokens(text)]
            groups[len(tokens)].append(([BEGIN, *tokens, END], story))
        for members in groups.values():
            texts, told = zip(*members)
            named = judge.name(self.draw(self.encoder(list(texts)), steps))
            for place, story in enumerate(told):
                for name in NAMES:
                    if name in KINDS_SAID or story["said"][name]:
                        found[name].append(int(named[name][place]) == story["picture"][name])
        torch._foreach_copy_(list(self.named.values()), list(kept.values()))
        for block, forward in zip(blocks_of(self.network), fused):
            if forward is not None:
                block.forward = forward
        return {name: float(np.mean(values)) for name, values in found.items()}

    def draw(self, text: torch.Tensor, steps: int, cfg: float = 4.0) -> torch.Tensor:
        """Pictures [n, 3, 32, 32] in -1..1 of embedded texts, by plain Euler steps."""
        size = len(text)
        noise = torch.Generator().manual_seed(1)
        x = torch.randn(size, 3, PICTURE, PICTURE, generator=noise).to(self.where)
        moments = shifted(torch.linspace(1, 0, steps + 1)).tolist()
        empty = self.encoder([[BEGIN, END]] * size)
        for now, then in zip(moments, moments[1:]):
            moment = torch.full((size,), now, device=self.where)
            told = self.network(x, moment, text, text.shape[1], transformer_options={})
            plain = self.network(x, moment, empty, 2, transformer_options={})
            x = x + (then - now) * (plain + cfg * (told - plain))
        return self.model.latent_format.process_out(x).clamp(-1, 1).cpu()


def train(images: int, batch_size: int, seed: int, minutes: float, within: float) -> None:
    """Up to `images` in all or `within` minutes of training: the learning rate falls to 0 towards
    it. `minutes` of it now, the rest by calling it again.
    """
    judge, training = judging.load(), Training(seed)
    print(f"training on {training.where}", flush=True)
    fuse(training.network)
    state, batches = training.state, training.captions.batches(batch_size)
    start = last = time.monotonic()
    due = dict.fromkeys((PRINT, SAVE, JUDGE), start)

    def is_due(seconds: int) -> bool:
        if time.monotonic() - due[seconds] < seconds:
            return False
        due[seconds] = time.monotonic()
        return True

    while (share := max(state["seen"] / images, state["seconds"] / (60 * within))) < 1:
        if time.monotonic() - start > 60 * minutes:
            break
        training.captions.seen = state["seen"]
        training.step(next(batches), share)
        now = time.monotonic()
        state["seconds"] += now - last
        last = now
        if is_due(PRINT):
            pace = f"{state['seen'] / state['seconds']:.0f} images/s"
            done = f"{share:.1%}, {state['seen']} images"
            print(f"{done}, loss {state['loss']:.4f}, {pace}", flush=True)
        if is_due(SAVE):
            training.save()
        if is_due(JUDGE):
            print(f"{state['seen']} images, {told(training.judged(judge, 64, 10))}", flush=True)
    training.save()
    print(f"{state['seen']} images, {told(training.judged(judge, 256, 20))}", flush=True)


def told(right: dict[str, float]) -> str:
    return "right: " + ", ".join(f"{name} {share:.2f}" for name, share in right.items())


def blocks_of(network: torch.nn.Module) -> list[torch.nn.Module]:
    return [*network.layers, *network.noise_refiner, *network.context_refiner]


def fuse(network: torch.nn.Module) -> None:
    """Compile the blocks, which fuses their small operations: half as fast again on a CPU.

    It takes about a minute and a C++ compiler; COMPILE=0 goes without.
    """
    if os.environ.get("COMPILE", "1") == "1":
        for block in blocks_of(network):
            block.forward = torch.compile(block.forward, dynamic=True)


def export() -> None:
    """The averaged weights as float16, with the training's record."""
    saved = torch.load(CHECKPOINT, weights_only=True, map_location="cpu")
    state = saved["state"]
    record = {**saved["record"], "seen": state["seen"], "minutes": round(state["seconds"] / 60)}
    weights = {name: value.half().contiguous() for name, value in saved["ema"].items()}
    metadata = {name: json.dumps(value) for name, value in record.items()}
    replace_whole(WEIGHTS, lambda part: save_file(weights, part, metadata))
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size / 2**20:.1f} MiB, {record}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200_000, help="in the whole training")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this long")
    parser.add_argument(
        "--within", type=float, default=math.inf, help="minutes for the whole training"
    )
    parser.add_argument("--export", action="store_true", help="write the averaged weights")
    given = parser.parse_args()
    if given.export:
        export()
    else:
        train(given.images, given.batch, given.seed, given.minutes, given.within)
