"""Trains the demo model's CLIP vision: `bench/run -m lab vision`. Stop it and call it again to go
on. With `--from-shipped` it begins with the weights in demo/, to fit a text encoder that was
trained further.

Drawn pictures and captions of one frame, by the symmetric contrastive loss of CLIP: the embedding
of a picture is to have a higher cosine with its own caption than with the batch's others, and the
other way round. The text encoder is the shipped demo model's and stays as it is. `bench/run -m lab
vision measure` says how well it tells held-out pictures and captions apart.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from comfy.clip_vision import ClipVisionModel
from comfy.utils import load_torch_file
from torch.nn.functional import cross_entropy, normalize
from torchvision.transforms.functional import normalize as by_channel
from transformers.hf_argparser import HfArgumentParser
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from demo.model import WEIGHTS as TEXT_WEIGHTS
from demo.model import load_demo_model
from demo.vision import CONFIG, WEIGHTS, load_demo_vision

from ..files import fingerprint
from ..world.captions import draw_story
from ..world.render import NAMES, Attributes, Renderer
from . import loop, precision
from .export import record_of
from .judge import roughened
from .loop import option
from .train import initialise

NAME = "story-vision"
CAPTIONS = 12_000
LARGEST_SCALE = math.log(200)


@dataclass
class Options(loop.Options):
    steps: int = option(800, "in the whole training; the learning rate falls towards it")
    batch: int = option(128, "pictures per step")
    rate: float = option(1.5e-3, "peak learning rate")
    from_shipped: bool = option(False, "start from the weights in demo/, whose steps count")


class Bank:
    """Captions of one frame: their text embeddings [n, d], their pictures' attributes, and which of
    these they say.
    """

    def __init__(self, count: int, seed: int):
        rng = np.random.default_rng(seed)
        stories = [draw_story(rng, 1) for _ in range(count)]
        self.texts = [" ".join(filter(None, story["phrases"])) for story in stories]
        self.attributes = Attributes.stack([story["picture"] for story in stories])
        said = [[story["said"].get(name, True) for story in stories] for name in NAMES]
        self.said = dict(zip(NAMES, np.array(said)))
        self.embeddings = embed_texts(self.texts)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Attributes, torch.Tensor]:
        """Attributes of `size` captions, drawn anew where a caption leaves them unsaid, and the
        captions' embeddings.
        """
        chosen = rng.choice(len(self.texts), size, replace=False)
        drawn = {"flip": rng.integers(2, size=size)}
        for name, names in NAMES.items():
            anew, own = rng.integers(len(names), size=size), getattr(self.attributes, name)[chosen]
            drawn[name] = np.where(self.said[name][chosen], own, anew)
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
    return normalize(torch.cat(rows).float(), dim=-1).clone()


def build() -> torch.nn.Module:
    """ComfyUI's CLIP vision with trainable, initialised weights; `scale` is the logarithm of the
    inverse temperature.
    """
    model = ClipVisionModel(str(CONFIG)).model.float()
    initialise(model)
    torch.nn.init.normal_(model.vision_model.embeddings.class_embedding, std=0.02)
    model.scale = torch.nn.Parameter(torch.tensor(math.log(20.0)))
    return model


def embed(model: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Embeddings of length 1 [n, d] of pictures [n, 3, 32, 32] in -1..1."""
    pixels = by_channel((pictures + 1) / 2, OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    return normalize(model(pixels)[2].float(), dim=-1)


def contrastive_loss(pictures, texts, scale: torch.Tensor) -> torch.Tensor:
    """CLIP's: cross-entropy of every picture over the texts and of every text over the pictures,
    [n, d] each of length 1.
    """
    logits = scale.clamp(max=LARGEST_SCALE).exp() * pictures @ texts.T
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


@torch.no_grad()
def start_from_shipped(model, pictures: torch.Tensor, texts: torch.Tensor) -> int:
    """With the scale that fits a batch best. Returns the steps that the weights have had."""
    model.load_state_dict(load_torch_file(str(WEIGHTS), safe_load=True) | {"scale": model.scale})
    embedded = embed(model, pictures)
    scales = torch.linspace(math.log(5.0), LARGEST_SCALE, 40, device=pictures.device)
    fits = [contrastive_loss(embedded, texts, scale).item() for scale in scales]
    model.scale.copy_(scales[np.argmin(fits)])
    return record_of(WEIGHTS)["step"]


def train(options: Options) -> None:
    torch.manual_seed(options.seed)
    where = precision.device()
    model, bank, renderer = build().to(where), Bank(CAPTIONS, options.seed), Renderer()

    def drawn(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The step's pictures and their captions' embeddings."""
        torch.manual_seed(options.seed * 1_000_003 + step)
        attributes, texts = bank.batch(np.random.default_rng((options.seed, step)), options.batch)
        return roughened(renderer.tensors(attributes)[0]).to(where), texts.to(where)

    def losses() -> loop.Losses:
        pictures, texts = drawn(training.state["seen"])
        with precision.autocast(where):
            embedded = embed(model, pictures)
        loss = contrastive_loss(embedded, texts, model.scale)
        return loss, {"loss": loss}

    def rate(share: float, step: int) -> float:
        """50 steps of warm-up, then a cosine."""
        return options.rate * min(1.0, (step - begun + 1) / 50) * loop.cosine(share)

    begun = 0
    if options.from_shipped and not loop.checkpoint(NAME).exists():
        begun = start_from_shipped(model, *drawn(0))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    record = {"steps": options.steps, "batch": options.batch, "seed": options.seed}
    record |= {"captions": CAPTIONS, "text": fingerprint(TEXT_WEIGHTS)}
    training = loop.Training(loop.checkpoint(NAME), model, {optimizer: rate}, record, begun)
    begun = training.state["begun"]
    training.state["step"] = training.state["seen"]  # those of the first weights count
    print(precision.told(where), flush=True)
    training.run(options, options.steps, losses)


@torch.inference_mode()
def measure(count: int = 500) -> dict[str, float]:
    """Of the shipped weights, as the nodes use them: retrieval among `count` held-out pictures and
    captions that differ in what they say.
    """
    bank = Bank(3 * count, seed=99)
    said = [np.where(bank.said[name], getattr(bank.attributes, name), -1) for name in NAMES]
    _, first = np.unique(np.stack(said, 1), axis=0, return_index=True)
    chosen = np.sort(first)[:count]
    pictures, _ = Renderer()(Attributes(*(values[chosen] for values in bank.attributes)))
    shown = torch.from_numpy(pictures.repeat(8, 1).repeat(8, 2)).float() / 255
    vision = load_demo_vision()
    embedded = torch.cat([vision.encode_image(part)["image_embeds"] for part in shown.split(50)])
    cosine = normalize(embedded.float(), dim=-1) @ bank.embeddings[chosen].T
    own = cosine.diagonal()
    found = {}
    for way, table in (("text to picture", cosine.T), ("picture to text", cosine)):
        rank = (table > own[:, None]).sum(1)
        found |= {f"{way}, first {k}": float((rank < k).float().mean()) for k in (1, 5)}
    others = cosine[~torch.eye(len(chosen), dtype=torch.bool)]
    found["own caption's cosine"] = float(own.mean())
    found["other captions' cosine"] = float(others.mean())
    print("\n".join(f"{name}: {value:.3f}" for name, value in found.items()))
    return found


if __name__ == "__main__":
    parser = HfArgumentParser(Options, description=__doc__)
    parser.add_argument("what", nargs="?", choices=["train", "measure"], default="train")
    options, chosen = parser.parse_args_into_dataclasses()
    measure() if chosen.what == "measure" else train(options)
