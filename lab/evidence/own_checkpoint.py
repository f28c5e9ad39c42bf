"""The evidence on anyone's model, which comes whole, in parts, or with the pack: `make evidence`
with CHECKPOINT or UNET, as lab/README.md has it.

Rows (a) to (g) of the same stories, judged by Story Score: likeness (CLIP-I), the overlap of
colours and, where the checkpoint's text encoder belongs to the vision model, fit (CLIP-T).
REFERENCE adds a row (h) whose frames see a picture; SWEEP=steps has other rows (`by_steps`).
MASK=rembg compares the characters only, as the paper does. Writes a page with tables and strips of
pictures into output/evidence; its text is in `own.md.j2`.
"""

from argparse import Namespace
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from bench import inprocess
from bench.studio import Studio
from sheet.pictures import picture_of

from ..files import code
from .loop import Job, Study, beside_each_other, costs, story_by_story
from .masks import Masks, masks_by
from .own_models import DEMO, load_models, load_vision, refuse
from .pages import page
from .prompts import OWN, read_stories
from .results import Measured, Tables
from .rows import FIRST, ROWS, Row, Setting, by_steps, render, studio_on
from .stories import draw_stories

STRIP_PANEL, STRIP_GAP = 192, 4
CODE = (
    *("story", "references", "svr", "ipca", "batch", "score", "nodes", "families.py"),
    *(f"lab/evidence/{name}.py" for name in ("rows", "own_models", "own_checkpoint", "masks")),
    *("bench/studio.py", "demo/model.py"),
)


@dataclass
class Equipment:
    """What the evidence runs on. `masks` finds the character in pictures [n, H, W, 3]: [n, H, W],
    empty where it does not. `no_fit` says why there is none.
    """

    studio: Studio
    vision: object
    masks: Masks | None = None
    no_fit: str = ""


def rows_of(options: Namespace, steps: int) -> dict[str, Row]:
    rows = by_steps(steps) if options.sweep else dict(ROWS)
    if options.reference:
        seen = f"reference {Path(options.reference).name}"
        if options.reference == FIRST:
            seen = "frame 1 as the reference of the others"
        label = f"{ROWS['e'].label}, {seen}"
        rows["h"] = replace(ROWS["e"], label=label, reference=options.reference)
    return {name: replace(row, window_length=options.window) for name, row in rows.items()}


def score(
    equipment: Equipment, images: list[torch.Tensor], captions: list[str]
) -> dict[str, float]:
    """Story Score's likeness, fit and colours; a fit of nan where the text encoder does not belong
    to the vision model. With masks `not masked` is how many pictures are compared whole because
    no character was found in them.
    """
    inputs = {"images": images, "clip_vision": [equipment.vision]}
    columns = {}
    if equipment.masks:
        found = [mask for batch in images for mask in equipment.masks(batch)]
        inputs["mask"] = [mask if mask.max() > 0 else torch.ones_like(mask) for mask in found]
        columns["not masked"] = float(sum(not mask.max() > 0 for mask in found))
    call = partial(equipment.studio.nodes["StoryScore"].execute, **inputs)
    try:
        likeness, fit, *_, colours = call(clip=[equipment.studio.clip], captions=captions).args
    except ValueError as error:
        if not str(error).startswith("Story Score - clip:"):
            raise
        equipment.no_fit = f"No fit: {str(error).removeprefix('Story Score - clip: ')}"
        likeness, fit, *_, colours = call().args
    return {"likeness": likeness, "fit": fit, "colours": colours, **columns}


def tell(equipment: Equipment, job: Job) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: likeness, fit, colours, seconds per picture and peak memory in GiB; and
    its pictures side by side, small.
    """
    studio, setting, story = equipment.studio, job.setting, job.story
    with torch.inference_mode(), costs() as spent:
        latents, seconds = render(studio, story, job.row, job.seed, setting)
        decode = partial(studio.core, "VAEDecode", vae=studio.vae)
        images = [decode(samples={"samples": latent}) for latent in latents.split(setting.batch)]
        columns = score(equipment, images, story.get("captions", story["frames"]))
    pictures = [picture_of(image) for image in torch.cat(images)]
    size = STRIP_PANEL, round(STRIP_PANEL * pictures[0].height / pictures[0].width)
    spent["seconds per picture"] = seconds / len(story["frames"])
    strip = beside_each_other([picture.resize(size) for picture in pictures], STRIP_GAP)
    return {**columns, **spent}, strip


def study(options: Namespace) -> Study:
    inprocess.load_core_extras("model_advanced")
    models = load_models(options)
    vision, vision_file = load_vision(options.clip_vision)
    studio = studio_on(models.model, models.clip, models.vae)
    if options.reference and not models.reads_references:
        refuse(f"{models.name} reads no reference pictures: leave REFERENCE out")
    size, steps, cfg, shift = models.habits
    if shift is not None:
        studio.model = studio.core("ModelSamplingAuraFlow", shift=shift, model=models.model)
    equipment = Equipment(studio, vision, masks_by(options.mask))
    setting = Setting(
        steps=options.steps or steps,
        cfg=options.cfg or cfg,
        said=0.0,
        size=options.size or size,
        batch=options.batch,
        mask=options.mask if equipment.masks else "",
    )
    rows = rows_of(options, setting.steps)
    if options.prompts is None and models.name == DEMO:
        stories = draw_stories(options.stories or 20)  # of the words that it knows
    else:
        stories = read_stories(options.prompts or OWN)[: options.stories]

    def written(told: Tables, whole: bool = False) -> str:
        """The tables that the command prints, or the `whole` page."""
        way = Measured(told, setting, rows)
        return page(
            "own.md.j2",
            whole=whole,
            way=way,
            models=models,
            options=options,
            stories=len(stories),
            setting=setting,
            rows=rows,
            device=torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
            no_fit=equipment.no_fit,
            not_masked=sum(way.values(name, "not masked").sum() for name in rows),
        )

    return Study(
        depends_on=(*models.files, vision_file, code(*CODE)),
        stages=[story_by_story((setting, stories, rows.values()))],
        tell=partial(tell, equipment),
        tables=written,
        write=lambda told, folder: (folder / "evidence.md").write_text(
            written(told, whole=True), encoding="utf-8"
        ),
        strips={f"row-{name}.png": [row.label] for name, row in rows.items()},
        folder=f"output/evidence/{models.name}",
    )
