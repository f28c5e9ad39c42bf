"""The evidence on anyone's model: `make evidence CHECKPOINT=model.safetensors [CLIP_VISION=..]
[PROMPTS=..] [STORIES=..] [SIZE=..] [STEPS=..] [CFG=..] [BATCH=..] [WINDOW=..]`, `make evidence
UNET=.. CLIP=.. [CLIP_TYPE=..] VAE=..` for a model that comes in parts (two text encoders:
CLIP=a,b), or CHECKPOINT=demo for the model that comes with the pack.

Rows (a) to (g) of the same stories, judged by Story Score: likeness (CLIP-I) and, where the
checkpoint's text encoder belongs to the vision model, fit (CLIP-T). REFERENCE=picture.png adds a
row (h) whose frames see that picture, REFERENCE=first one whose others see frame 1's. SWEEP=steps
shows in which part of a run IPCA acts: rows (a), (d), (e), and IPCA from each quarter of the steps
on and before each. Writes a page with tables and strips of pictures into output/evidence, and goes
on where it was stopped.
"""

import json
import math
import os
import resource
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from bench import inprocess
from bench.inprocess import ROOT
from bench.studio import Studio

from ..progress import Progress, spoken
from ..world.measure import as_bytes
from .own_models import DEMO, Habits, load_models, load_vision, reads_references
from .own_report import below_each_other, page, ratio, table
from .prompts import OWN, read_stories
from .rows import FIRST, ROWS, Row, Setting, by_steps, render
from .shelf import Shelf, code, fingerprint

STRIP_STORIES, STRIP_PANEL = 4, 192
STEPS = "steps"
CODE = (
    "story",
    "references",
    "svr",
    "ipca",
    "score",
    "families.py",
    "bench/studio.py",
    "lab/evidence/rows.py",
    "lab/evidence/own_models.py",
    "demo/model.py",
)


@dataclass
class Equipment:
    """What the evidence runs on; `notes` are sentences for the page about what its numbers cannot
    mean.
    """

    studio: Studio
    vae: object
    vision: object
    notes: list[str]


@dataclass(frozen=True)
class Wanted:
    """The command's choices, from the environment."""

    vision: str
    prompts: Path | None
    stories: int
    window: int
    setting: Setting
    reference: str
    sweep: str

    @classmethod
    def of(cls, environment: dict[str, str], habits: Habits) -> "Wanted":
        def number(name: str, default: float) -> float:
            text = environment.get(name) or str(default)
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not value > 0:
                raise SystemExit(f"evidence: {name}={text} is no number above 0")
            return value

        prompts = environment.get("PROMPTS")
        size, steps, cfg, _ = habits
        setting = Setting(
            int(number("STEPS", steps)),
            number("CFG", cfg),
            0.0,
            int(number("SIZE", size)),
            int(number("BATCH", 4)),
        )
        if setting.size % 8:
            raise SystemExit(f"evidence: SIZE={setting.size} is not a multiple of 8")
        return cls(
            environment.get("CLIP_VISION") or DEMO,
            Path(prompts) if prompts else None,
            int(number("STORIES", 20)),
            int(number("WINDOW", 10)),
            setting,
            reference_in(environment.get("REFERENCE") or ""),
            sweep_in(environment.get("SWEEP") or ""),
        )

    def rows(self) -> dict[str, Row]:
        rows = by_steps(self.setting.steps) if self.sweep == STEPS else dict(ROWS)
        if self.reference:
            seen = (
                "frame 1 as the reference of the others"
                if self.reference == FIRST
                else f"reference {Path(self.reference).name}"
            )
            rows["h"] = replace(
                ROWS["e"], label=f"{ROWS['e'].label}, {seen}", reference=self.reference
            )
        return {label: replace(row, window_length=self.window) for label, row in rows.items()}


def reference_in(text: str) -> str:
    if text and text != FIRST and not Path(text).is_file():
        raise SystemExit(
            f"evidence: REFERENCE={text} is no file; it is a picture's file, or {FIRST}"
        )
    return text


def sweep_in(text: str) -> str:
    if text not in ("", STEPS):
        raise SystemExit(f"evidence: SWEEP={text} is no sweep; there is {STEPS}")
    return text


def score(
    equipment: Equipment, images: list[torch.Tensor], captions: list[str]
) -> dict[str, float]:
    """Story Score's likeness and fit; a fit of nan, and a note, where the text encoder does not
    belong to the vision model.
    """
    call = equipment.studio.nodes["StoryScore"].execute
    with_text = {"clip": [equipment.studio.clip], "captions": captions}
    try:
        likeness, fit, *_ = call(images=images, clip_vision=[equipment.vision], **with_text).args
    except ValueError as error:
        if not str(error).startswith("Story Score - clip:"):
            raise
        note = f"No fit: {str(error).removeprefix('Story Score - clip: ')}"
        if note not in equipment.notes:
            equipment.notes.append(note)
        likeness, fit, *_ = call(images=images, clip_vision=[equipment.vision]).args
    return {"likeness": likeness, "fit": fit}


def tell(
    equipment: Equipment, story: dict, row: Row, seed: int, setting: Setting
) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: likeness, fit, seconds a picture and peak memory in GiB; and its
    pictures side by side.
    """
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode():
        latents, seconds = render(equipment.studio, story, row, seed, setting)
        decode = partial(equipment.studio.core, "VAEDecode", vae=equipment.vae)
        images = [decode(samples={"samples": latent}) for latent in latents.split(setting.batch)]
        columns = score(equipment, images, story.get("captions", story["frames"]))
    peak = torch.cuda.max_memory_allocated() if cuda else peak_of_process()
    return {
        **columns,
        "seconds a picture": seconds / len(story["frames"]),
        "peak GiB": peak / 2**30,
    }, strip(torch.cat(images))


def peak_of_process() -> float:
    """Bytes that this process has held at most so far: all that a CPU can tell."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def strip(images: torch.Tensor) -> Image.Image:
    """Pictures [n, H, W, 3] in 0..1 side by side, small."""
    pixels = as_bytes(images.movedim(-1, 1).float().cpu() * 2 - 1)
    panels = [
        Image.fromarray(picture).resize(
            (STRIP_PANEL, round(STRIP_PANEL * picture.shape[0] / picture.shape[1]))
        )
        for picture in pixels
    ]
    board = Image.new("RGB", (len(panels) * (STRIP_PANEL + 4) - 4, panels[0].height), "white")
    for index, panel in enumerate(panels):
        board.paste(panel, (index * (STRIP_PANEL + 4), 0))
    return board


def key_of(seed: int, story: dict, setting: Setting) -> str:
    return fingerprint(seed, story, setting.key())


def run(
    equipment: Equipment, stories: list[dict], rows: dict[str, Row], setting: Setting, shelf: Shelf
) -> None:
    """Tell what the shelf lacks, story by story; the first one tells how long it will take."""
    todo = [(seed, story, row) for seed, story in enumerate(stories) for row in rows.values()]
    missing = [
        job
        for job in todo
        if shelf.get(key_of(job[0], job[1], setting), fingerprint(job[2].key())) is None
    ]
    pictures = sum(len(story["frames"]) for _, story, _ in missing)
    print(
        f"evidence: {len(todo) - len(missing)} of {len(todo)} stories are there already, {pictures}"
        " pictures to render",
        flush=True,
    )
    progress = Progress("evidence", len(missing), "stories")
    for number, (seed, story, row) in enumerate(missing):
        columns, picture = tell(equipment, story, row, seed, setting)
        shelf.put(
            key_of(seed, story, setting),
            fingerprint(row.key()),
            columns,
            picture if seed < STRIP_STORIES else None,
        )
        if number == 0:
            print(
                f"evidence: about {spoken(columns['seconds a picture'] * pictures)} in all. Stop it"
                " when you like, the same command goes on.",
                flush=True,
            )
        progress.step()


def main() -> None:
    inprocess.load_pack()
    import nodes

    inprocess.load_core_extras("model_advanced")
    models = load_models(dict(os.environ))
    wanted = Wanted.of(dict(os.environ), models.habits)
    vision, vision_file, about_vision = load_vision(wanted.vision, models.name)
    studio = Studio(
        nodes.NODE_CLASS_MAPPINGS, models.model, models.clip, identity="A photo of a fox"
    )
    studio.negative, studio.vae = studio.encode(""), models.vae
    if wanted.reference and not reads_references(models.model):
        raise SystemExit(
            f"evidence: {models.name} reads no reference pictures: leave REFERENCE out"
        )
    if models.habits.shift is not None:
        studio.model = studio.core(
            "ModelSamplingAuraFlow", model=models.model, shift=models.habits.shift
        )
    stories = stories_for(wanted, models.name)
    wanted = replace(wanted, stories=len(stories))
    shelf = Shelf(ROOT / "output/evidence/kept", *models.files, vision_file, code(*CODE))
    if wanted.reference not in ("", FIRST):
        about_vision.append(
            f"Row (h) sees {Path(wanted.reference).name} in every story: PROMPTS should tell of who"
            " is on it."
        )
    equipment = Equipment(studio, models.vae, vision, models.notes + about_vision)
    try:
        run(equipment, stories, wanted.rows(), wanted.setting, shelf)
    except KeyboardInterrupt:
        print("evidence: stopped. The page has what is there; the same command goes on.")
    write(models.name, wanted, stories, equipment.notes, shelf)


def stories_for(wanted: Wanted, name: str) -> list[dict]:
    """The prompts file's, our own 20, or for the demo model stories of the words that it knows."""
    if wanted.prompts is None and name == DEMO:
        from .demo import draw_stories

        return draw_stories(wanted.stories)
    stories = read_stories(wanted.prompts or OWN)
    return stories[: wanted.stories] if "STORIES" in os.environ else stories


def about(wanted: Wanted) -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    judge = "the demo model" if wanted.vision == DEMO else Path(wanted.vision).name
    setting = wanted.setting
    window = "" if wanted.window == Row("").window_length else f" window_length {wanted.window},"
    return (
        f"{wanted.stories} stories, {setting.size}x{setting.size},{window} {setting.steps} Euler"
        f" steps, CFG {setting.cfg:g}, {device}; judged by Story Score with {judge}'s vision. Means"
        " with standard errors over stories."
    )


def write(name: str, wanted: Wanted, stories: list[dict], notes: list[str], shelf: Shelf) -> None:
    folder = ROOT / "output/evidence" / name
    folder.mkdir(parents=True, exist_ok=True)
    keys = [key_of(seed, story, wanted.setting) for seed, story in enumerate(stories)]
    results = {
        label: [shelf.get(key, fingerprint(row.key())) for key in keys]
        for label, row in wanted.rows().items()
    }
    for label, row in wanted.rows().items():
        strips = [
            path
            for key in keys[:STRIP_STORIES]
            if (path := shelf.picture(key, fingerprint(row.key()))).exists()
        ]
        if strips:
            below_each_other([Image.open(path) for path in strips]).save(
                folder / f"row-{label}.png", optimize=True
            )
    text = page(name, about(wanted), notes, results, wanted.rows())
    (folder / "evidence.md").write_text(text, encoding="utf-8")
    (folder / "evidence.json").write_text(json.dumps(results), encoding="utf-8")
    print(
        "\n".join(
            ["", *notes, table(results, wanted.rows()), ratio(results), str(folder / "evidence.md")]
        )
    )
