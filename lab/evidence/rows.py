"""In which ways a story is told for the evidence, and telling it: by the pack's nodes and ComfyUI's
own sampling.
"""

import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.studio import Studio

from .shelf import fingerprint


@dataclass(frozen=True)
class Row:
    """One way to render a story: separate prompts or one, and the nodes' settings.

    `reference` is a picture's file that every frame sees, or `first`: the others see the picture of
    frame 1.
    """

    label: str
    one_prompt: bool = True
    noise: str = "shared"
    svr: dict = field(default_factory=dict)
    ipca: dict | None = None
    window_length: int = 10
    reference: str = ""

    def key(self) -> dict:
        """What the pictures depend on: all but the label, and of a reference its content."""
        found = {
            name: value
            for name, value in asdict(self).items()
            if name not in ("label", "reference")
        }
        if self.reference:
            found["reference"] = (
                self.reference if self.reference == FIRST else fingerprint(Path(self.reference))
            )
        return found


@dataclass(frozen=True)
class Setting:
    """How the sampler runs, how likely an identity says each of its attributes, and how many frames
    go at once (0: all).
    """

    steps: int = 20
    cfg: float = 4.0
    said: float = 0.3
    size: int = 256
    batch: int = 0

    def key(self) -> dict:
        """What the pictures depend on: a frame does not depend on its batch."""
        return {name: value for name, value in asdict(self).items() if name != "batch"}


FIRST = "first"
ROWS = {
    "a": Row("separate prompts, own noise", one_prompt=False, noise="per frame"),
    "b": Row("separate prompts, same noise", one_prompt=False),
    "c": Row("one prompt, no SVR", svr={"mode": "original"}),
    "d": Row("SVR"),
    "e": Row("SVR + IPCA", ipca={}),
    "f": Row("SVR-EOT + IPCA", svr={"mode": "svr-eot"}, ipca={}),
    "g": Row("SVR + IPCA, own noise", noise="per frame", ipca={}),
}

# IPCA's share, in every story: how much of it, with the padding remembered too, and where colour is
# made alone.
DOSES = {
    "all blocks": [Row(f"strength {value:g}", ipca={"strength": value}) for value in (10.0, 100.0)],
    "protect_identity off": [
        Row(
            f"protect_identity off, strength {value:g}",
            ipca={"protect_identity": False, "strength": value},
        )
        for value in (1.0, 3.0)
    ],
    "up0 alone": [
        Row(f"up0 alone, strength {value:g}", ipca={"blocks": "up0", "strength": value})
        for value in (10.0, 100.0)
    ],
}

HOLDS_MOST = DOSES["up0 alone"][-1]  # what help and README advise where a character wanders

SWEEPS = {
    "strength": [
        Row(f"strength {value:g}", ipca={"strength": value}) for value in (3.0, 30.0, 300.0)
    ],
    "svr-eot": [
        Row("SVR-EOT, no IPCA", svr={"mode": "svr-eot"}),
        Row(
            "SVR-EOT, protect_identity off",
            svr={"mode": "svr-eot"},
            ipca={"protect_identity": False},
        ),
    ],
    "enhance_alpha": [
        Row(f"enhance_alpha {value}", svr={"enhance_alpha": value}, ipca={})
        for value in (0.001, 0.005, 0.02)
    ],
    "enhance_beta": [
        Row(f"enhance_beta {value}", svr={"enhance_beta": value}, ipca={})
        for value in (1.25, 1.5, 2.0)
    ],
    "weaken_alpha": [
        Row(f"weaken_alpha {value}", svr={"weaken_alpha": value}, ipca={})
        for value in (0.05, 0.1, 0.5)
    ],
    "weaken_beta": [
        Row(f"weaken_beta {value}", svr={"weaken_beta": value}, ipca={})
        for value in (0.1, 0.3, 1.0)
    ],
    "dropout": [Row(f"dropout {value}", ipca={"dropout": value}) for value in (0.05, 0.1, 0.5)],
    "start_at_step": [
        Row(f"start_at_step {value}", ipca={"start_at_step": value}) for value in (2, 6, 10)
    ],
    "blocks": [Row(f"blocks {value}", ipca={"blocks": value}) for value in ("down1", "mid", "up0")],
    "window_length": [
        Row(f"window_length {value}", ipca={}, window_length=value) for value in (1, 2, 3)
    ],
}


def by_steps(steps: int) -> dict[str, Row]:
    """IPCA in the late part of a run of so many `steps`, and in its early part: from each quarter
    on, and up to each. Rows (a), (d) and (e) are what to compare with.
    """
    quarters = sorted({round(steps * part / 4) for part in (1, 2, 3)} & set(range(1, steps)))
    late = {
        f"from-{step}": Row(f"SVR + IPCA from step {step} on", ipca={"start_at_step": step})
        for step in quarters
    }
    early = {
        f"to-{step}": Row(f"SVR + IPCA before step {step}", ipca={"end_at_step": step})
        for step in quarters
    }
    return {**{name: ROWS[name] for name in "ade"}, **late, **early}


def render(
    studio: Studio, story: dict, row: Row, seed: int, setting: Setting = Setting()
) -> tuple[torch.Tensor, float]:
    """The story's latents [frames, channels, h, w] by the nodes and stock sampling, and the seconds
    it took.
    """
    start = time.monotonic()
    told = studio.prompt(story["identity"], story["frames"], row.window_length)
    if row.reference == FIRST:
        first = sampled(studio, told, row, seed, setting, select="1")
        hero = studio.core("VAEDecode", vae=studio.vae, samples={"samples": first})
        others = sampled(
            studio,
            seen(studio, told, hero, setting.size),
            row,
            seed,
            setting,
            select=f"2-{len(told.frames)}",
        )
        return torch.cat([first, others]), time.monotonic() - start
    if row.reference:
        told = seen(studio, told, picture_in(Path(row.reference)), setting.size)
    return sampled(studio, told, row, seed, setting), time.monotonic() - start


def sampled(
    studio: Studio, told: object, row: Row, seed: int, setting: Setting, select: str = ""
) -> torch.Tensor:
    """Latents of the selected frames of a story."""
    if row.one_prompt:
        frames = studio.svr(told, **row.svr)
    # as CLIP Text Encode of each, but of one size where an encoder gives short prompts fewer rows
    else:
        frames = studio.svr(replace(told, window_length=1), mode="original")
    model = studio.model
    if (
        row.one_prompt or row.ipca is not None
    ):  # at strength 0 it still weakens words where a model normalises its text
        model = studio.ipca(story=told, **({"strength": 0.0} if row.ipca is None else row.ipca))
    given = {
        "width": setting.size,
        "height": setting.size,
        "model": studio.model,
        "select": select,
        "noise": row.noise,
    }
    positives, latents, _, negatives, _ = studio.batch(
        told, frames, frames_per_batch=setting.batch, negative=studio.negative, **given
    )
    parts = [
        studio.sample(
            model,
            positive,
            latent,
            negative=negative,
            steps=setting.steps,
            cfg=setting.cfg,
            seed=seed,
        )
        for positive, latent, negative in zip(positives, latents, negatives)
    ]
    return torch.cat(parts)


def seen(studio: Studio, told: object, image: torch.Tensor, size: int) -> object:
    """The story with a picture that every frame sees, about as large as a frame of `size`, at most
    a megapixel.
    """
    megapixels = min(1.0, (size / 1024) ** 2)
    given = {
        "story": told,
        "image": image,
        "vae": studio.vae,
        "character": "",
        "megapixels": megapixels,
    }
    return (
        studio.nodes["StoryReference"]
        .execute(**{name: [value] for name, value in given.items()})
        .args[0][0]
    )


def picture_in(path: Path) -> torch.Tensor:
    """An IMAGE of a file."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).unsqueeze(0)
