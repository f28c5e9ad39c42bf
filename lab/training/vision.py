"""Trains the demo model's CLIP vision: `bench/run -m lab vision`. Stop it and call it again to go
on. With `--from-shipped` it begins with the weights in demo/, to fit a text encoder that was
trained further.

Drawn pictures and captions of one frame, by the symmetric contrastive loss of CLIP: the embedding
of a picture is to have a higher cosine with its own caption than with the batch's others, and the
other way round. The text encoder is the shipped demo model's and stays as it is. `bench/run -m lab
vision measure` says how well it tells held-out pictures and captions apart.
"""

import argparse
import json
import math
from pathlib import Path

import comfy.clip_model
import comfy.ops
import numpy as np
import torch
from comfy.utils import load_torch_file
from safetensors import safe_open

from demo.model import WEIGHTS as TEXT_WEIGHTS
from demo.model import load_demo_model
from demo.vision import CONFIG, WEIGHTS, load_demo_vision

from ..files import fingerprint, progress, replace_whole
from ..world.captions import draw_story
from ..world.render import NAMES, Attributes, Renderer
from . import CHECKPOINTS, precision
from .judge import roughened
from .train import initialise

CHECKPOINT = CHECKPOINTS / "story-vision.pt"
CAPTIONS = 12_000
MEAN, STD = (
    torch.tensor([0.48145466, 0.4578275, 0.40821073]),
    torch.tensor([0.26862954, 0.26130258, 0.27577711]),
)  # CLIP's
LARGEST_SCALE = math.log(200)


class Bank:
    """Captions of one frame: their text embeddings [n, d], their pictures' attributes, and which of
    these they say.
    """

    def __init__(self, count: int, seed: int):
        rng = np.random.default_rng(seed)
        stories = [draw_story(rng, 1) for _ in range(count)]
        self.texts = [" ".join(filter(None, story["phrases"])) for story in stories]
        self.attributes = {
            name: np.array([story["picture"][name] for story in stories])
            for name in (*NAMES, "flip")
        }
        self.said = {
            name: np.array([story["said"].get(name, True) for story in stories]) for name in NAMES
        }
        self.embeddings = embed_texts(self.texts)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Attributes, torch.Tensor]:
        """Attributes of `size` captions, drawn anew where a caption leaves them unsaid, and the
        captions' embeddings.
        """
        chosen = rng.choice(len(self.texts), size, replace=False)
        drawn = {"flip": rng.integers(2, size=size)}
        for name, names in NAMES.items():
            drawn[name] = np.where(
                self.said[name][chosen],
                self.attributes[name][chosen],
                rng.integers(len(names), size=size),
            )
        return Attributes(**drawn), self.embeddings[chosen]


@torch.inference_mode()
def embed_texts(texts: list[str]) -> torch.Tensor:
    """The demo model's projected text embeddings [n, d], of length 1."""
    encoder = load_demo_model()[1]
    tower = encoder.cond_stage_model.clip_l
    rows = []
    for start in range(0, len(texts), 100):
        chunks = [encoder.tokenize(text)["l"][0] for text in texts[start : start + 100]]
        _, pooled, *_ = tower([[token for token, _ in chunk] for chunk in chunks])
        rows.append(tower.transformer.text_projection(pooled))
    return torch.nn.functional.normalize(torch.cat(rows).float(), dim=-1).clone()


def build() -> torch.nn.Module:
    """ComfyUI's CLIP vision with trainable, initialised weights; `scale` is the logarithm of the
    inverse temperature.
    """
    settings = json.loads(CONFIG.read_text(encoding="utf-8"))
    model = comfy.clip_model.CLIPVisionModelProjection(
        settings, torch.float32, "cpu", comfy.ops.manual_cast
    )
    initialise(model)
    torch.nn.init.normal_(model.vision_model.embeddings.class_embedding, std=0.02)
    model.requires_grad_(True)
    for name, module in model.named_modules():
        if (
            "layer_norm" in name
        ):  # ComfyUI's encoder adds in place to what the norm has kept for its gradient
            module.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))
    model.scale = torch.nn.Parameter(torch.tensor(math.log(20.0)))
    return model


def embed(model: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Embeddings of length 1 [n, d] of pictures [n, 3, 32, 32] in -1..1."""
    pixels = ((pictures + 1) / 2 - MEAN.view(3, 1, 1).to(pictures)) / STD.view(3, 1, 1).to(pictures)
    return torch.nn.functional.normalize(model(pixels)[2].float(), dim=-1)


def contrastive_loss(
    pictures: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """CLIP's: cross-entropy of every picture over the texts and of every text over the pictures,
    [n, d] each of length 1.
    """
    logits = scale.clamp(max=LARGEST_SCALE).exp() * pictures @ texts.T
    own = torch.arange(len(logits), device=logits.device)
    return (
        torch.nn.functional.cross_entropy(logits, own)
        + torch.nn.functional.cross_entropy(logits.T, own)
    ) / 2


def start_from(
    model: torch.nn.Module, path: Path, pictures: torch.Tensor, texts: torch.Tensor
) -> int:
    """Take exported weights as the first ones, with the scale that fits a batch best; the steps
    that they have had.
    """
    stored = load_torch_file(str(path), safe_load=True)
    model.load_state_dict(
        {name: value.float() for name, value in stored.items()} | {"scale": model.scale}
    )
    with torch.no_grad():
        embedded = embed(model, pictures)
        scales = torch.linspace(math.log(5.0), LARGEST_SCALE, 40, device=pictures.device)
        model.scale.copy_(
            min(scales, key=lambda scale: contrastive_loss(embedded, texts, scale).item())
        )
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["step"])


def train(
    steps: int,
    batch: int,
    peak: float,
    seed: int = 1,
    stop_after: int | None = None,
    captions: int = CAPTIONS,
    first: Path | None = None,
) -> None:
    """Up to `steps` steps in all, those of the weights `first` among them; `stop_after` of them
    now, the rest by calling it again.
    """
    torch.manual_seed(seed)
    where = precision.device()
    model, bank, renderer = build().to(where), Bank(captions, seed), Renderer()

    def drawn(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The step's pictures and their captions' embeddings."""
        torch.manual_seed(seed * 1_000_003 + step)
        attributes, texts = bank.batch(np.random.default_rng((seed, step)), batch)
        pictures = roughened(
            torch.from_numpy(renderer(attributes)[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
        )
        return pictures.to(where), texts.to(where)

    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.05)
    step = begun = 0
    if CHECKPOINT.exists():
        saved = torch.load(CHECKPOINT, weights_only=True, map_location=where)
        model.load_state_dict(saved["model"]), optimizer.load_state_dict(saved["optimizer"])
        step, begun = saved["step"], saved["record"]["begun"]
    elif first is not None:
        step = begun = start_from(model, first, *drawn(0))
    print(f"vision: step {step} of {steps} on {where}, {precision.named(where)}", flush=True)
    end = min(steps, step + (stop_after or steps))
    record = {
        "steps": steps,
        "begun": begun,
        "batch": batch,
        "seed": seed,
        "captions": captions,
        "text": fingerprint(TEXT_WEIGHTS),
    }
    bar = progress(range(step, end), "vision", end - step, "steps")
    for step in bar:
        pictures, texts = drawn(step)
        share = (step - begun) / (steps - begun)
        for group in optimizer.param_groups:
            group["lr"] = (
                peak
                * min(1.0, (step - begun + 1) / 50)
                * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
            )
        with precision.autocast(where):
            embedded = embed(model, pictures)
        loss = contrastive_loss(embedded, texts, model.scale)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if (step + 1) % 100 == 0 or step + 1 == end:
            save(model, optimizer, step + 1, record)


def save(model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, record: dict) -> None:
    CHECKPOINT.parent.mkdir(exist_ok=True)
    saved = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "record": record,
    }
    replace_whole(CHECKPOINT, lambda part: torch.save(saved, part))


@torch.inference_mode()
def measure(count: int = 500) -> dict[str, float]:
    """Of the shipped weights, as the nodes use them: retrieval among `count` held-out pictures and
    captions that differ in what they say.
    """
    bank = Bank(3 * count, seed=99)
    first: dict[tuple, int] = {}
    for index in range(len(bank.texts)):
        said = (bank.attributes[name][index] if bank.said[name][index] else -1 for name in NAMES)
        first.setdefault(tuple(map(int, said)), index)
    chosen = np.array(list(first.values())[:count])
    pictures, _ = Renderer()(
        Attributes(**{name: values[chosen] for name, values in bank.attributes.items()})
    )
    shown = (
        torch.from_numpy(pictures).float().div(255).repeat_interleave(8, 1).repeat_interleave(8, 2)
    )
    vision = load_demo_vision()
    embedded = torch.cat(
        [vision.encode_image(part)["image_embeds"] for part in shown.split(50)]
    ).float()
    cosine = torch.nn.functional.normalize(embedded, dim=-1) @ bank.embeddings[chosen].T
    own = torch.arange(count)
    ranks = {
        "text to picture": (cosine.T > cosine.diagonal()[:, None]).sum(1),
        "picture to text": (cosine > cosine.diagonal()[:, None]).sum(1),
    }
    found = {
        f"{way}, first {k}": float((rank < k).float().mean())
        for way, rank in ranks.items()
        for k in (1, 5)
    }
    others = cosine[own[:, None] != own[None]]
    found |= {
        "own caption's cosine": float(cosine.diagonal().mean()),
        "other captions' cosine": float(others.mean()),
    }
    print("\n".join(f"{name}: {value:.3f}" for name, value in found.items()))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["train", "measure"], default="train")
    for name, kind, default, meaning in (
        ("steps", int, 800, "in the whole training; the learning rate falls towards it"),
        ("batch", int, 128, "pictures per step"),
        ("rate", float, 1.5e-3, "peak learning rate"),
        ("stop-after", int, None, "this many steps, to be gone on with"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=meaning)
    shipped = "start from the weights in demo/, whose steps count"
    parser.add_argument("--from-shipped", action="store_true", help=shipped)
    chosen = parser.parse_args()
    if chosen.what == "measure":
        measure()
    else:
        first = WEIGHTS if chosen.from_shipped else None
        train(chosen.steps, chosen.batch, chosen.rate, stop_after=chosen.stop_after, first=first)
