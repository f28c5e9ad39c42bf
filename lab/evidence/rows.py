"""In which ways a story is told for the evidence, and telling it: by the pack's nodes and ComfyUI's
own sampling.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from bench import inprocess
from bench.studio import Studio

from ..files import fingerprint


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
        found = {**asdict(self), "label": ""}
        if self.reference not in ("", FIRST):
            found["reference"] = fingerprint(Path(self.reference))
        return found


@dataclass(frozen=True)
class Setting:
    """How the sampler runs, how likely an identity says each of its attributes, and how many frames
    go at once (0: all). `prefix` is before its rows' names where several settings are measured.
    """

    steps: int = 20
    cfg: float = 4.0
    said: float = 0.3
    size: int = 256
    batch: int = 0
    mask: str = ""  # the package that finds the character where likeness is of it only
    prefix: str = ""

    def key(self) -> dict:
        """What the results depend on: a frame does not depend on its batch."""
        return {**asdict(self), "batch": 0, "prefix": ""}


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

NOT_NAMED = Row("SVR + IPCA, place not named", ipca={})  # of stories with a place in plain words


def sweep(part: str, name: str, *values: object, also: str = "", **more: object) -> list[Row]:
    """A row with IPCA for each value of an input of SVR Reweight, the part `svr`, or of IPCA Patch,
    `ipca`.
    """
    return [
        Row(f"{also}{name} {value}", **{"ipca": {}, part: {**more, name: value}})
        for value in values
    ]


def by_label(*rows: list[Row]) -> dict[str, Row]:
    return {row.label: row for row in chain(*rows)}


# IPCA's share, in every story: how much of it, with the padding remembered too, and where colour is
# made alone.
DOSES = {
    "all blocks": sweep("ipca", "strength", 10, 100),
    "protect_identity off": sweep(
        "ipca", "strength", 1, 3, also="protect_identity off, ", protect_identity=False
    ),
    "up0 alone": sweep("ipca", "strength", 10, 100, also="up0 alone, ", blocks="up0"),
}
HOLDS_MOST = DOSES["up0 alone"][-1]  # what help and README advise where a character wanders

EOT = {"mode": "svr-eot"}
SWEEPS = {
    "strength": sweep("ipca", "strength", 3, 30, 300),
    "svr-eot": [
        Row("SVR-EOT, no IPCA", svr=EOT),
        Row("SVR-EOT, protect_identity off", svr=EOT, ipca={"protect_identity": False}),
    ],
    "enhance_alpha": sweep("svr", "enhance_alpha", 0.001, 0.005, 0.02),
    "enhance_beta": sweep("svr", "enhance_beta", 1.25, 1.5, 2.0),
    "weaken_alpha": sweep("svr", "weaken_alpha", 0.05, 0.1, 0.5),
    "weaken_beta": sweep("svr", "weaken_beta", 0.1, 0.3, 1.0),
    "dropout": sweep("ipca", "dropout", 0.05, 0.1, 0.5),
    "start_at_step": sweep("ipca", "start_at_step", 2, 6, 10),
    "blocks": sweep("ipca", "blocks", "down1", "mid", "up0"),
    "window_length": [
        Row(f"window_length {value}", ipca={}, window_length=value) for value in (1, 2, 3)
    ],
}


def by_steps(steps: int) -> dict[str, Row]:
    """IPCA in the late part of a run of so many `steps`, and in its early part: from each quarter
    on, and up to each. Rows (a), (d) and (e) are what to compare with.
    """
    quarters = sorted({round(steps * part / 4) for part in (1, 2, 3)} & set(range(1, steps)))
    found = {name: ROWS[name] for name in "ade"}
    for name, label, end in (
        ("from", "SVR + IPCA from step {} on", "start_at_step"),
        ("to", "SVR + IPCA before step {}", "end_at_step"),
    ):
        for step in quarters:
            found[f"{name}-{step}"] = Row(label.format(step), ipca={end: step})
    return found


def pack_nodes() -> dict:
    """The pack's nodes and ComfyUI's own, by name."""
    inprocess.load_pack()
    import nodes

    return nodes.NODE_CLASS_MAPPINGS


def studio_on(model: object, clip: object, vae: object = None) -> Studio:
    """The nodes, with an empty negative prompt."""
    studio = Studio(pack_nodes(), model, clip, identity="A photo of a fox")
    studio.negative, studio.vae = studio.encode(""), vae
    return studio


def render(
    studio: Studio, story: dict, row: Row, seed: int, setting: Setting = Setting()
) -> tuple[torch.Tensor, float]:
    """The story's latents [frames, channels, h, w] by the nodes and stock sampling, and the seconds
    it took.
    """
    start, first, select = time.monotonic(), [], ""
    told = studio.prompt(story["identity"], story["frames"], row.window_length)
    if row.reference == FIRST:
        first, select = [sampled(studio, told, row, seed, setting, "1")], f"2-{len(told.frames)}"
        image = studio.core("VAEDecode", vae=studio.vae, samples={"samples": first[0]})
    elif row.reference:
        pixels = to_tensor(Image.open(row.reference).convert("RGB"))
        image = pixels.movedim(0, -1).unsqueeze(0)  # (1, H, W, 3)
    if row.reference:
        told = seen(studio, told, image, setting.size)
    latents = torch.cat([*first, sampled(studio, told, row, seed, setting, select)])
    return latents, time.monotonic() - start


def sampled(
    studio: Studio,
    told: object,
    row: Row,
    seed: int,
    setting: Setting,
    select: str = "",
    patched: Callable[[list], object] | None = None,
) -> torch.Tensor:
    """Latents of the selected frames of a story. `patched` gives the model of a batch by its
    positive, in place of IPCA.
    """
    # as CLIP Text Encode of each, but of one size where an encoder gives short prompts fewer rows
    each = replace(told, window_length=1)
    frames = studio.svr(told, **row.svr) if row.one_prompt else studio.svr(each, mode="original")
    model = studio.model
    # at strength 0 it still weakens words where a model normalises its text
    if row.one_prompt or row.ipca is not None:
        model = studio.ipca(story=told, **({"strength": 0.0} if row.ipca is None else row.ipca))
    given = {"width": setting.size, "height": setting.size, "select": select, "noise": row.noise}
    given |= {"frames_per_batch": setting.batch, "negative": studio.negative, "model": studio.model}
    positives, latents, _, negatives, _ = studio.batch(told, frames, **given)
    how = {"steps": setting.steps, "cfg": setting.cfg, "seed": seed}
    return torch.cat(
        [
            studio.sample(patched(batch[0]) if patched else model, *batch, **how)
            for batch in zip(positives, latents, negatives)
        ]
    )


def seen(studio: Studio, told: object, image: torch.Tensor, size: int) -> object:
    """The story with a picture that every frame sees, about as large as a frame of `size`, at most
    a megapixel.
    """
    given = {"story": told, "image": image, "vae": studio.vae, "character": ""}
    given["megapixels"] = min(1.0, (size / 1024) ** 2)
    node = studio.nodes["StoryReference"]
    return node.execute(**{name: [value] for name, value in given.items()}).args[0][0]
