"""The evidence on anyone's model: `make evidence CHECKPOINT=model.safetensors [CLIP_VISION=..]
[PROMPTS=..] [STORIES=..] [SIZE=..] [STEPS=..] [CFG=..] [BATCH=..] [WINDOW=..]`, `make evidence
UNET=.. CLIP=.. [CLIP_TYPE=..] VAE=..` for a model that comes in parts (two text encoders:
CLIP=a,b), or CHECKPOINT=demo for the model that comes with the pack.

Rows (a) to (g) of the same stories, judged by Story Score: likeness (CLIP-I) and, where the
checkpoint's text encoder belongs to the vision model, fit (CLIP-T). REFERENCE=picture.png adds a
row (h) whose frames see that picture, REFERENCE=first one whose others see frame 1's. SWEEP=steps
shows in which part of a run IPCA acts: rows (a), (d), (e), and IPCA from each quarter of the steps
on and before each. MASK=rembg compares the characters only, as the paper does. Writes a page with
tables and strips of pictures into output/evidence.
"""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from bench import inprocess
from bench.studio import Studio

from ..files import code
from ..world.measure import as_bytes
from .loop import Job, Study, beside_each_other, costs
from .masks import masks_by
from .own_models import DEMO, Models, load_models, load_vision, reads_references
from .own_report import page, tables
from .prompts import OWN, read_stories
from .rows import FIRST, ROWS, Row, Setting, by_steps, render
from .unsaid import draw_stories

STRIP_PANEL, STRIP_GAP = 192, 4
CODE = (
    *("story", "references", "svr", "ipca", "batch", "score", "nodes", "families.py"),
    *(f"lab/evidence/{name}.py" for name in ("rows", "own_models", "own_checkpoint", "masks")),
    *("bench/studio.py", "demo/model.py"),
)


@dataclass
class Equipment:
    """What the evidence runs on; `notes` are sentences for the page about what its numbers cannot
    mean. `masks` finds the character in pictures [n, H, W, 3]: [n, H, W], empty where it does not.
    """

    studio: Studio
    vae: object
    vision: object
    notes: list[str]
    masks: Callable[[torch.Tensor], torch.Tensor] | None = None

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def rows_of(options: Namespace, steps: int) -> dict[str, Row]:
    rows = by_steps(steps) if options.sweep else dict(ROWS)
    if options.reference:
        seen = f"reference {Path(options.reference).name}"
        if options.reference == FIRST:
            seen = "frame 1 as the reference of the others"
        label = f"{ROWS['e'].label}, {seen}"
        rows["h"] = replace(ROWS["e"], label=label, reference=options.reference)
    return {name: replace(row, window_length=options.window) for name, row in rows.items()}


def setting_of(options: Namespace, models: Models, mask: str) -> Setting:
    """What is not asked for is the model's habit."""
    size, steps, cfg, _ = models.habits
    return Setting(
        steps=options.steps or steps,
        cfg=options.cfg or cfg,
        said=0.0,
        size=options.size or size,
        batch=options.batch,
        mask=mask,
    )


def score(
    equipment: Equipment, images: list[torch.Tensor], captions: list[str]
) -> dict[str, float]:
    """Story Score's likeness and fit; a fit of nan, and a note, where the text encoder does not
    belong to the vision model. With masks `not masked` is how many pictures are compared whole
    because no character was found in them.
    """
    inputs = {"images": images, "clip_vision": [equipment.vision]}
    columns = {}
    if equipment.masks:
        found = [mask for batch in images for mask in equipment.masks(batch)]
        inputs["mask"] = [mask if mask.max() > 0 else torch.ones_like(mask) for mask in found]
        columns["not masked"] = float(sum(not mask.max() > 0 for mask in found))
    call = partial(equipment.studio.nodes["StoryScore"].execute, **inputs)
    try:
        likeness, fit, *_ = call(clip=[equipment.studio.clip], captions=captions).args
    except ValueError as error:
        if not str(error).startswith("Story Score - clip:"):
            raise
        equipment.note(f"No fit: {str(error).removeprefix('Story Score - clip: ')}")
        likeness, fit, *_ = call().args
    return {"likeness": likeness, "fit": fit, **columns}


def tell(equipment: Equipment, job: Job) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: likeness, fit, seconds per picture and peak memory in GiB; and its
    pictures side by side, small.
    """
    studio, setting, story = equipment.studio, job.setting, job.story
    with torch.inference_mode(), costs() as spent:
        latents, seconds = render(studio, story, job.row, job.seed, setting)
        decode = partial(studio.core, "VAEDecode", vae=equipment.vae)
        images = [decode(samples={"samples": latent}) for latent in latents.split(setting.batch)]
        columns = score(equipment, images, story.get("captions", story["frames"]))
    pixels = as_bytes(torch.cat(images).movedim(-1, 1).float().cpu() * 2 - 1)
    height = round(STRIP_PANEL * pixels.shape[1] / pixels.shape[2])
    panels = [Image.fromarray(picture).resize((STRIP_PANEL, height)) for picture in pixels]
    spent["seconds per picture"] = seconds / len(story["frames"])
    return {**columns, **spent}, beside_each_other(panels, STRIP_GAP)


def study(options: Namespace) -> Study:
    inprocess.load_pack()
    import nodes

    inprocess.load_core_extras("model_advanced")
    models = load_models(options)
    vision, vision_file, notes = load_vision(options.clip_vision, models.name)
    studio = Studio(
        nodes.NODE_CLASS_MAPPINGS, models.model, models.clip, identity="A photo of a fox"
    )
    studio.negative, studio.vae = studio.encode(""), models.vae
    if options.reference and not reads_references(models.model):
        raise SystemExit(
            f"evidence: {models.name} reads no reference pictures: leave REFERENCE out"
        )
    if models.habits.shift is not None:
        shift = partial(studio.core, "ModelSamplingAuraFlow", shift=models.habits.shift)
        studio.model = shift(model=models.model)
    if options.reference not in ("", FIRST):
        name = Path(options.reference).name
        notes.append(f"Row (h) sees {name} in every story: PROMPTS should tell of who is on it.")
    masks, masked, about_masks = masks_by(options.mask)
    equipment = Equipment(studio, models.vae, vision, models.notes + notes + about_masks, masks)
    setting = setting_of(options, models, masked)
    rows = rows_of(options, setting.steps)
    stories = stories_for(options, models.name)
    about = about_of(options, setting, len(stories))
    given = (setting, rows, equipment.notes)
    return Study(
        depends_on=(*models.files, vision_file, code(*CODE)),
        stages=[
            [
                Job(setting, seed, story, row)
                for seed, story in enumerate(stories)
                for row in rows.values()
            ]
        ],
        tell=partial(tell, equipment),
        tables=lambda results: tables(results, *given),
        write=lambda results, folder: (folder / "evidence.md").write_text(
            page(models.name, about, results, *given), encoding="utf-8"
        ),
        strips={f"row-{name}.png": [(setting, row)] for name, row in rows.items()},
        folder=f"output/evidence/{models.name}",
    )


def stories_for(options: Namespace, name: str) -> list[dict]:
    """The prompts file's, our own 20, or for the demo model stories of the words that it knows."""
    if options.prompts is None and name == DEMO:
        return draw_stories(options.stories or 20)
    return read_stories(options.prompts or OWN)[: options.stories]


def about_of(options: Namespace, setting: Setting, stories: int) -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    judge = "the demo model" if options.clip_vision == DEMO else Path(options.clip_vision).name
    window = "" if options.window == Row("").window_length else f" window_length {options.window},"
    return (
        f"{stories} stories, {setting.size}x{setting.size},{window} {setting.steps} Euler steps,"
        f" CFG {setting.cfg:g}, {device}; judged by Story Score with {judge}'s vision. Means with"
        " standard errors over stories."
    )
