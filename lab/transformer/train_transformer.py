"""Trains the lab's transformer: `make train TRANSFORMER=1`. Stop it and call it again to go on;
`ARGS=--export` writes its averaged weights.

By rectified flow, from scratch, with the demo model's text encoder frozen. The captions are those
of `world/captions.py` as they are. Matrices move by Muon, the rest by AdamW; the learning rate
falls to 0 towards the end.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import comfy.model_management
import numpy as np
import torch
from transformers.hf_argparser import HfArgumentParser

from demo.model import TEXT_WIDTH

from ..training import judge as judging
from ..training import loop, precision
from ..training.captions import BEGIN, END
from ..training.export import export
from ..training.loop import option
from ..world.captions import draw_story
from ..world.render import Renderer
from .captions import Captions, Encoder
from .model import PICTURE, SHIFT, WEIGHTS, build_transformer, initialise
from .muon import Muon

NAME = "story-transformer"
MUON_RATE, MUON_DECAY, ADAM_RATE = 0.02, 0.1, 2e-3
STAGES = ("layers.", "noise_refiner.", "context_refiner.")


@dataclass
class Options(loop.Options):
    images: int = option(200_000, "in the whole training")
    batch: int = option(64, "images per step")
    export: bool = option(False, "write the averaged weights")


def loss_of(
    model, encoder: Encoder, batch, renderer: Renderer, generator: torch.Generator
) -> torch.Tensor:
    """Mean squared error of the velocity, noise less picture; the character's pixels count twice.

    Everything random is drawn on the CPU and then taken to the model's device.
    """
    texts, attributes = batch
    where = encoder.table.device
    pictures, figure = renderer.tensors(attributes)
    clean = model.latent_format.process_in(pictures).to(where)
    size = clean.shape[0]
    even = (torch.arange(size) + torch.rand(size, generator=generator)) / size  # one stratum each
    moment = shifted(even).to(where)
    noise = torch.randn(clean.shape, generator=generator).to(where)
    share = moment.view(-1, 1, 1, 1)
    text = encoder(texts)
    mixed = (1 - share) * clean + share * noise
    with learning():
        out = model.diffusion_model(mixed, moment, text, text.shape[1], transformer_options={})
    error = (out.float() - (noise - clean)).square().mean(1)
    weight = 1 + figure.to(where)
    return (error * weight).sum() / weight.sum()


@contextmanager
def learning() -> Iterator[None]:
    """ComfyUI's own switch: its newer versions have fast operations that give no gradient."""
    before = getattr(comfy.model_management, "in_training", False)
    comfy.model_management.in_training = True
    yield
    comfy.model_management.in_training = before


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


class Training(loop.Training):
    """The transformer's: its matrices move by Muon, the rest by AdamW."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.where = precision.device()
        self.encoder, self.model = Encoder(self.where), build_transformer()
        network = self.model.diffusion_model.to(self.where).requires_grad_(True)
        initialise(network)
        self.captions = Captions(self.encoder, np.random.default_rng(seed))
        self.renderer = Renderer()
        if not loop.checkpoint(NAME).exists():
            whiten(network, self.captions)
        named = dict(network.named_parameters())
        matrices = {n: p for n, p in named.items() if p.ndim == 2 and n.startswith(STAGES)}
        others = [p for n, p in named.items() if n not in matrices]
        # Queries, keys and values are three matrices.
        parts = {p: 3 if ".qkv." in n else 1 for n, p in matrices.items()}
        muon = Muon(parts, lr=MUON_RATE, decay=MUON_DECAY)
        adam = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0)
        rates = {
            muon: lambda *done: MUON_RATE * learning_rate(*done),
            adam: lambda *done: ADAM_RATE * learning_rate(*done),
        }
        super().__init__(loop.checkpoint(NAME), network, rates, {"seed": seed}, average=0.04)
        self.captions.rng = np.random.default_rng((seed, self.state["step"]))
        self.generator = torch.Generator().manual_seed(seed + self.state["step"])

    def losses(self, batch: tuple) -> loop.Losses:
        # On a CPU float32: compiled blocks are faster in it than with bfloat16's casts.
        with precision.autocast(self.where) if self.where.type == "cuda" else nullcontext():
            loss = loss_of(self.model, self.encoder, batch, self.renderer, self.generator)
        return loss, {"loss": loss}

    @torch.no_grad()
    def judged(self, judge: judging.Judge, count: int, steps: int) -> dict[str, float]:
        """Shares right on captions of one scene, drawn by the averaged weights at CFG 4."""
        network = build_transformer().diffusion_model.to(self.where)
        network.load_state_dict(self.ema)
        rng = np.random.default_rng(7)
        groups: dict[int, list] = defaultdict(list)
        for _ in range(count):
            story = draw_story(rng, 1)
            tokens = [token for text in story["phrases"] for token in self.encoder.tokens(text)]
            groups[len(tokens)].append(([BEGIN, *tokens, END], story))
        drawn = (
            (self.draw(network, self.encoder(list(texts)), steps), stories)
            for texts, stories in (zip(*members) for members in groups.values())
        )
        return {name: float(np.mean(f)) for name, f in judging.right(judge, drawn).items()}

    def draw(self, network, text: torch.Tensor, steps: int, cfg: float = 4.0) -> torch.Tensor:
        """Pictures [n, 3, 32, 32] in -1..1 of embedded texts, by plain Euler steps."""
        size = len(text)
        noise = torch.Generator().manual_seed(1)
        x = torch.randn(size, 3, PICTURE, PICTURE, generator=noise).to(self.where)
        moments = shifted(torch.linspace(1, 0, steps + 1)).tolist()
        empty = self.encoder([[BEGIN, END]] * size)
        for now, then in zip(moments, moments[1:]):
            moment = torch.full((size,), now, device=self.where)
            told = network(x, moment, text, text.shape[1], transformer_options={})
            plain = network(x, moment, empty, 2, transformer_options={})
            x = x + (then - now) * (plain + cfg * (told - plain))
        return self.model.latent_format.process_out(x).clamp(-1, 1).cpu()


def train(options: Options) -> None:
    """By the options; the learning rate falls to 0 towards the end."""
    judge, training = judging.load(), Training(options.seed)
    print(f"training on {training.where}", flush=True)
    fuse(training.network)
    batches = training.captions.batches(options.batch)

    def losses() -> loop.Losses:
        training.captions.seen = training.state["seen"]
        return training.losses(next(batches))

    def look(count: int = 64, steps: int = 10) -> None:
        right = training.judged(judge, count, steps)
        told = ", ".join(f"{name} {share:.2f}" for name, share in right.items())
        print(f"{training.state['seen']} images, right: {told}", flush=True)

    training.run(options, options.images, losses, options.batch, look)
    look(256, 20)


def fuse(network: torch.nn.Module) -> None:
    """Compile the blocks, which fuses their small operations: half as fast again on a CPU.

    It takes about a minute and a C++ compiler; COMPILE=0 goes without.
    """
    if os.environ.get("COMPILE", "1") == "1":
        for block in (*network.layers, *network.noise_refiner, *network.context_refiner):
            block.forward = torch.compile(block.forward, dynamic=True)


if __name__ == "__main__":
    (options,) = HfArgumentParser(Options, description=__doc__).parse_args_into_dataclasses()
    export(NAME, WEIGHTS) if options.export else train(options)
