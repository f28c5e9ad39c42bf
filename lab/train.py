"""Trains the demo model: `bench/run -m lab train --images 600000`. Stop it and call it again to go on.

Text encoder and UNet are trained together from scratch by v-prediction. Most captions with several frames get the
"emphasis" augmentation: the shown phrase's rows are scaled up, the others' and the end-of-text rows down, as SVR
does, so that the model learns to read the magnitude of token embeddings.
"""

import argparse
import math
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
from comfy.ldm.modules.attention import attention_basic

from demo.model import TEXT_WIDTH, build_clip, build_model

from . import precision
from .progress import replace_whole
from .world.captions import MAX_FRAMES, draw_story, vocabulary
from .world.render import Attributes, Renderer

DATA_VERSION = 2
CHECKPOINT = Path(__file__).with_name("checkpoints") / "story-demo.pt"
TOKENS = 77
BEGIN, END = 49406, 49407


class Captions:
    """Batches of captions as rows of the cut token table, with the emphasis of every row."""

    def __init__(self, tokenizer, rng: np.random.Generator):
        self.rng = rng
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}
        ids = {token for text in vocabulary() for token in self.tokens(text)}
        self.ids = [BEGIN, END, *sorted(ids)]
        self.row = {token: 1 + index for index, token in enumerate(self.ids)}  # row 0: unknown words

    def tokens(self, text: str) -> list[int]:
        if text not in self.known:
            self.known[text] = self.tokenizer(text)["input_ids"][1:-1]
        return self.known[text]

    def frames(self) -> int:
        return 1 if self.rng.random() < 0.3 else int(self.rng.integers(2, MAX_FRAMES + 1))

    def draw(self) -> tuple[list[int], np.ndarray, int, dict]:
        """Token rows [77], emphasis [77], place of the end token, and the picture's attributes."""
        rng = self.rng
        story = draw_story(rng, self.frames())
        phrases = [self.tokens(text) for text in story["phrases"]]
        while len(phrases) > 2 and sum(map(len, phrases)) > TOKENS - 2:  # drop a frame that is not shown
            drop = next(index for index in range(len(phrases) - 1, 0, -1) if index - 1 != story["shown"])
            phrases.pop(drop)
            story["shown"] -= drop - 1 < story["shown"]
        if rng.random() < 0.1:
            phrases = [[]]
        rows = [self.row[BEGIN], *(self.row[token] for phrase in phrases for token in phrase)]
        end = len(rows)
        emphasis = np.ones(TOKENS, dtype=np.float32)
        if len(phrases) > 2 and rng.random() < 0.7:
            place = 1 + len(phrases[0])
            for index, phrase in enumerate(phrases[1:]):
                shown = index == story["shown"]
                emphasis[place : place + len(phrase)] = rng.uniform(0.95, 1.7) if shown else rng.uniform(0, 0.6) * rng.random()
                place += len(phrase)
            emphasis[end:] = rng.uniform(0, 0.05) if rng.random() < 0.75 else rng.uniform(0, 1)
        elif rng.random() < 0.15:  # a single frame that SVR has enhanced, or (word:1.3)
            emphasis[1 + len(phrases[0]) : end] = rng.uniform(0.8, 1.7)
            emphasis[end:] = rng.uniform(0, 1.2)
        return rows + [self.row[END]] * (TOKENS - end), emphasis, end, story["picture"]

    def batch(self, size: int):
        rows, emphasis, ends, pictures = zip(*(self.draw() for _ in range(size)))
        return torch.tensor(rows), torch.from_numpy(np.stack(emphasis)), torch.tensor(ends), Attributes.stack(pictures)


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
        # Rows of norm 22 to 28 after the final norm, as in CLIP: SVR's alphas are made for such magnitudes.
        torch.nn.init.constant_(self.text.text_model.final_layer_norm.weight, 25 / math.sqrt(TEXT_WIDTH))
        torch.nn.init.normal_(self.tokens.weight, std=0.5)
        for module in (self.text, self.unet):
            module.requires_grad_(True)
        for name, module in self.text.named_modules():
            if "layer_norm" in name:  # ComfyUI's encoder adds in place to what the norm has kept for its gradient
                module.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))

    def encode(self, rows: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, _, _, pooled = self.text(None, None, embeds=self.tokens(rows), num_tokens=(ends + 1).tolist())
        return hidden, pooled


def initialise(module: torch.nn.Module) -> None:
    """ComfyUI's layers come uninitialised: fan-in normal, identity norms, and zero at the end of every residual branch."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel() if "embedding" not in name else 1
            torch.nn.init.normal_(parameter, std=(1 if "embedding" not in name else 0.1) / math.sqrt(fan_in))
        else:
            torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
        if name.startswith("out.2") or "out_layers.3" in name or "proj_out" in name or "out_proj.weight" in name or "fc2.weight" in name:
            torch.nn.init.zeros_(parameter)


def loss_of(model: Trainee, batch, renderer: Renderer, alphas: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mean squared error of v = sqrt(a) noise - sqrt(1 - a) picture; the character's pixels count twice.

    Everything random is drawn on the CPU and then taken to the model's device.
    """
    rows, emphasis, ends, attributes = batch
    where = model.tokens.weight.device
    pictures, figure = renderer(attributes)
    clean = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    clean = model.diffusion.latent_format.process_in(clean)
    size = clean.shape[0]
    # One stratum of the steps for every picture of the batch.
    step = ((torch.arange(size) + torch.rand(size, generator=generator)) / size * len(alphas)).long().clamp(max=len(alphas) - 1)
    a = alphas[step].view(-1, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=generator)
    hidden, pooled = model.encode(rows.to(where), ends)
    # Where other phrases are turned down, only the pooled vector still tells which scenes the caption mentions.
    untouched = (emphasis == 1).all(1, keepdim=True)
    pooled = pooled * (torch.rand(size, 1, generator=generator) > torch.where(untouched, 0.2, 0.03)).to(where)
    out = model.unet(
        (a.sqrt() * clean + (1 - a).sqrt() * noise).to(where),
        step.float().to(where),
        context=hidden * emphasis.unsqueeze(-1).to(where),
        y=pooled,
        transformer_options={"optimized_attention_override": plain_attention},
    )
    error = (out.float() - (a.sqrt() * noise - (1 - a).sqrt() * clean).to(where)).square().mean(1)
    weight = 1 + torch.from_numpy(figure).float().to(where)
    return (error * weight).sum() / weight.sum()


def plain_attention(func, *args, **kwargs):
    """On a CPU, attention of so few tokens trains three times faster spelled out than through the fused kernel."""
    return attention_basic(*args, **kwargs)


def learning_rate(share: float, peak: float) -> float:
    """Warm-up over the first 2 %, then a cosine down to 2 % of the peak."""
    return peak * min(1.0, share / 0.02 + 0.01, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def train(images: int, batch_size: int, peak: float, seed: int, minutes: float) -> None:
    torch.manual_seed(seed)
    clip = build_clip()
    captions = Captions(clip.tokenizer.clip_l.tokenizer, np.random.default_rng(seed))
    where = precision.device()
    model = Trainee(len(captions.ids)).to(where)
    print(f"training on {where}, {precision.named(where)}", flush=True)
    ema = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    state = {"seen": 0, "step": 0, "loss": 1.0, "seconds": 0.0}
    if CHECKPOINT.exists():
        saved = torch.load(CHECKPOINT, weights_only=True, map_location=where)
        model.load_state_dict(saved["model"]), optimizer.load_state_dict(saved["optimizer"])
        ema, state = saved["ema"], saved["state"]
        captions.rng = np.random.default_rng((seed, state["step"]))
        print(f"going on at {state['seen']} images", flush=True)
    generator = torch.Generator().manual_seed(seed + state["step"])
    renderer, alphas = Renderer(), 1 / (1 + model.diffusion.model_sampling.sigmas.float().cpu() ** 2)
    horizon = 0.05 * images / batch_size
    start = last_save = last_print = time.monotonic()
    while state["seen"] < images and time.monotonic() - start < 60 * minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(state["seen"] / images, peak)
        with precision.autocast(where):
            loss = loss_of(model, captions.batch(batch_size), renderer, alphas, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state["seen"] += batch_size
        state["step"] += 1
        state["loss"] += (loss.item() - state["loss"]) / min(state["step"], 200)
        decay = 1 - 1 / min(1 + state["step"] / 4, horizon + 1)
        torch._foreach_lerp_([ema[name] for name in ema], [value.detach() for value in dict(model.named_parameters()).values()], 1 - decay)
        now = time.monotonic()
        if now - last_print > 20:
            state["seconds"] += now - last_print
            print(f"{state['seen']} images, loss {state['loss']:.4f}, {state['seen'] / max(state['seconds'], 1):.0f} images/s", flush=True)
            last_print = now
        if now - last_save > 180:
            save(model, ema, optimizer, state, captions.ids, seed, images)
            last_save = now
    save(model, ema, optimizer, state, captions.ids, seed, images)


def save(model, ema, optimizer, state, ids, seed, images) -> None:
    """One rolling checkpoint, replaced as a whole."""
    CHECKPOINT.parent.mkdir(exist_ok=True)
    record = {
        "data_version": DATA_VERSION,
        "seed": seed,
        "target": images,
        "hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }
    saved = {"model": model.state_dict(), "ema": ema, "optimizer": optimizer.state_dict(), "state": state, "ids": ids, "record": record}
    replace_whole(CHECKPOINT, lambda part: torch.save(saved, part))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600_000, help="images in the whole training; the learning rate falls towards it")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this long, to be gone on with")
    arguments = parser.parse_args()
    train(arguments.images, arguments.batch, arguments.rate, arguments.seed, arguments.minutes)
