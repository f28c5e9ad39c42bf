"""Trains the demo model: `bench/run -m lab train --images 600000`. Stop it and call it again to go
on.

Text encoder and UNet are trained together by v-prediction, from scratch or with `--from-shipped`
from the weights that the pack has. The captions are those of `captions.py`; cross-attention that
grows sharp is fined (`attention.py`).
"""

import argparse
import json
import math
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
from comfy.utils import load_torch_file
from safetensors import safe_open

from demo.model import TEXT_WIDTH, WEIGHTS, build_clip, build_model

from ..files import progress, replace_whole
from ..world.render import Renderer
from . import CHECKPOINTS, precision
from .attention import Spelled, excess
from .captions import Captions

DATA_VERSION = 3
CHECKPOINT = CHECKPOINTS / "story-demo.pt"
ENDS = ("out_layers.3", "proj_out", "out_proj.weight", "fc2.weight")  # of residual branches
FINE = 0.02  # weight of attention's excess sharpness in the loss


class Trainee(torch.nn.Module):
    """Token table, text encoder and UNet with trainable, initialised weights."""

    def __init__(self, token_count: int):
        super().__init__()
        self.tokens = torch.nn.Embedding(token_count + 1, TEXT_WIDTH)
        self.text = build_clip().cond_stage_model.clip_l.transformer
        del self.text.text_model.embeddings.token_embedding
        self.diffusion = build_model()
        self.unet = self.diffusion.diffusion_model.to(memory_format=torch.channels_last)
        initialise(self.text), initialise(self.unet)
        # Rows of norm 22 to 28 after the final norm, as in CLIP: SVR's alphas are made for such
        # magnitudes.
        torch.nn.init.constant_(
            self.text.text_model.final_layer_norm.weight, 25 / math.sqrt(TEXT_WIDTH)
        )
        torch.nn.init.normal_(self.tokens.weight, std=0.5)
        for module in (self.text, self.unet):
            module.requires_grad_(True)
        for name, module in self.text.named_modules():
            if (
                "layer_norm" in name
            ):  # ComfyUI's encoder adds in place to what the norm has kept for its gradient
                module.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))

    def encode(self, rows: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, _, _, pooled = self.text(
            None, None, embeds=self.tokens(rows), num_tokens=(ends + 1).tolist()
        )
        return hidden, pooled


def initialise(module: torch.nn.Module) -> None:
    """ComfyUI's layers come uninitialised: fan-in normal, identity norms, and zero at the end of
    every residual branch.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel() if "embedding" not in name else 1
            torch.nn.init.normal_(
                parameter, std=(1 if "embedding" not in name else 0.1) / math.sqrt(fan_in)
            )
        else:
            torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
        if name.startswith("out.2") or any(end in name for end in ENDS):
            torch.nn.init.zeros_(parameter)


def start_from(model: Trainee, ids: list[int], path: Path) -> dict:
    """Take exported weights as the first ones, words that their table lacks left out; their
    training record.
    """
    loaded = load_torch_file(str(path), safe_load=True)
    stored = {name: value.float() for name, value in loaded.items()}
    rows = stored.pop("token_rows")
    known = {int(token): 1 + row for row, token in enumerate(stored.pop("token_ids"))}
    with torch.no_grad():
        for row, token in [(0, None), *enumerate(ids, 1)]:
            if token is None or token in known:
                model.tokens.weight[row] = rows[0 if token is None else known[token]]
    for part, network in (("text.", model.text), ("unet.", model.unet)):
        mine = {name: value for name, value in stored.items() if name.startswith(part)}
        network.load_state_dict({name.removeprefix(part): mine[name] for name in mine})
    with safe_open(path, "pt") as file:
        return {name: json.loads(value) for name, value in file.metadata().items()}


def loss_of(
    model: Trainee, batch, renderer: Renderer, alphas: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared error of v = sqrt(a) noise - sqrt(1 - a) picture; the character's pixels count
    twice. And attention's excess.

    Everything random is drawn on the CPU and then taken to the model's device.
    """
    rows, emphasis, ends, attributes = batch
    where = model.tokens.weight.device
    pictures, figure = renderer(attributes)
    clean = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    clean = model.diffusion.latent_format.process_in(clean)
    size = clean.shape[0]
    # One stratum of the steps for every picture of the batch.
    step = (
        ((torch.arange(size) + torch.rand(size, generator=generator)) / size * len(alphas))
        .long()
        .clamp(max=len(alphas) - 1)
    )
    a = alphas[step].view(-1, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=generator)
    hidden, pooled = model.encode(rows.to(where), ends)
    # Where other phrases are turned down, only the pooled vector still tells which scenes the
    # caption mentions.
    untouched = (emphasis == 1).all(1, keepdim=True)
    pooled = pooled * (
        torch.rand(size, 1, generator=generator) > torch.where(untouched, 0.2, 0.03)
    ).to(where)
    sharp: list[torch.Tensor] = []
    out = model.unet(
        (a.sqrt() * clean + (1 - a).sqrt() * noise).to(where),
        step.float().to(where),
        context=hidden * emphasis.unsqueeze(-1).to(where),
        y=pooled,
        transformer_options={
            "optimized_attention_override": Spelled(lambda logits, _: sharp.append(excess(logits)))
        },
    )
    error = (out.float() - (a.sqrt() * noise - (1 - a).sqrt() * clean).to(where)).square().mean(1)
    weight = 1 + torch.from_numpy(figure).float().to(where)
    return (error * weight).sum() / weight.sum(), torch.stack(sharp).sum()


def learning_rate(share: float, peak: float) -> float:
    """Warm-up over the first 2 %, then a cosine down to 2 % of the peak."""
    return peak * min(
        1.0, share / 0.02 + 0.01, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    )


def train(
    images: int,
    batch_size: int,
    peak: float,
    seed: int,
    minutes: float,
    within: float = math.inf,
    first: Path | None = None,
) -> None:
    """Up to `images` in all or `within` minutes of training, whichever comes first: the learning
    rate falls towards it.

    `minutes` of it now, the rest by calling it again. `first` are the weights to start from, which
    count as seen.
    """
    torch.manual_seed(seed)
    clip = build_clip()
    captions = Captions(clip.tokenizer.clip_l.tokenizer, np.random.default_rng(seed))
    where = precision.device()
    model = Trainee(len(captions.ids)).to(where)
    print(f"training on {where}, {precision.named(where)}", flush=True)
    state = {"seen": 0, "begun": 0, "step": 0, "loss": 0.1, "excess": 0.0, "seconds": 0.0}
    if first is not None and not CHECKPOINT.exists():
        state["seen"] = state["begun"] = start_from(model, captions.ids, first)["seen"]
        print(f"starting from {first.name}, which has seen {state['seen']} images", flush=True)
    ema = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    if CHECKPOINT.exists():
        saved = torch.load(CHECKPOINT, weights_only=True, map_location=where)
        model.load_state_dict(saved["model"]), optimizer.load_state_dict(saved["optimizer"])
        ema, state = saved["ema"], saved["state"]
        captions.rng = np.random.default_rng((seed, state["step"]))
        print(f"going on at {state['seen']} images", flush=True)
    generator = torch.Generator().manual_seed(seed + state["step"])
    alphas = 1 / (1 + model.diffusion.model_sampling.sigmas.float().cpu() ** 2)
    renderer, bar = Renderer(), progress(None, "train", images, "images")
    bar.update(state["seen"])
    start = last_step = last_save = time.monotonic()
    while (
        share := share_done(state, images, within)
    ) < 1 and time.monotonic() - start < 60 * minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(share, peak)
        with precision.autocast(where):
            loss, sharp = loss_of(model, captions.batch(batch_size), renderer, alphas, generator)
        optimizer.zero_grad(set_to_none=True)
        (loss + FINE * sharp).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state["seen"] += batch_size
        state["step"] += 1
        for name, value in (("loss", loss), ("excess", sharp)):
            state[name] += (value.item() - state[name]) / min(state["step"], 200)
        follow(ema, model, state["step"], share)
        now = time.monotonic()
        state["seconds"] += now - last_step
        last_step = now
        bar.update(batch_size)
        shown = {name: f"{state[name]:.4f}" for name in ("loss", "excess")}
        bar.set_postfix(**shown, done=f"{share:.1%}", refresh=False)
        if now - last_save > 180:
            save(model, ema, optimizer, state, captions.ids, seed, images)
            last_save = now
    save(model, ema, optimizer, state, captions.ids, seed, images)


def share_done(state: dict, images: int, within: float) -> float:
    """How much of the training is done, by images or by minutes, whichever is further."""
    return max(
        (state["seen"] - state["begun"]) / max(images - state["begun"], 1),
        state["seconds"] / (60 * within),
    )


def follow(ema: dict[str, torch.Tensor], model: Trainee, step: int, share: float) -> None:
    """Move the moving average towards the weights. It looks back over about the last 5 % of a whole
    training, less at its beginning.
    """
    horizon = min(1 + step / 4, 1 + 0.05 * step / max(share, 1e-3))
    values = dict(model.named_parameters())
    torch._foreach_lerp_(
        [ema[name] for name in ema], [values[name].detach() for name in ema], 1 / horizon
    )


def save(model, ema, optimizer, state, ids, seed, images) -> None:
    """One rolling checkpoint, replaced as a whole."""
    CHECKPOINT.parent.mkdir(exist_ok=True)
    record = {
        "data_version": DATA_VERSION,
        "seed": seed,
        "target": images,
        "hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }
    saved = {
        "model": model.state_dict(),
        "ema": ema,
        "optimizer": optimizer.state_dict(),
        "state": state,
        "ids": ids,
        "record": record,
    }
    replace_whole(CHECKPOINT, lambda part: torch.save(saved, part))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, meaning in (
        ("images", 600_000, "in the whole training; the learning rate falls towards it"),
        ("batch", 64, "images per step"),
        ("rate", 1.5e-3, "peak learning rate"),
        ("seed", 1, "of everything random"),
        ("minutes", math.inf, "stop after this long, to be gone on with"),
        ("within", math.inf, "minutes for the whole training, where they end before the images"),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=meaning)
    shipped = "start from the weights in demo/, whose images count"
    parser.add_argument("--from-shipped", action="store_true", help=shipped)
    chosen = parser.parse_args()
    first = WEIGHTS if chosen.from_shipped else None
    train(
        chosen.images, chosen.batch, chosen.rate, chosen.seed, chosen.minutes, chosen.within, first
    )
