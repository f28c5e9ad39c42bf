"""The evidence on the lab's transformer: `make evidence TRANSFORMER=1`, or fewer by `STORIES=40`.

The same stories and measures as on the demo model, through the pack's nodes and ComfyUI's sampling,
in the rows of `rows.py`; and as a check on the demo model's UNet, factors against SVR. A full run
writes its section of docs/evidence.md, a quick one output/evidence/transformer.md.
"""

import textwrap
from argparse import Namespace
from functools import lru_cache
from itertools import chain
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from bench import inprocess
from bench.studio import Studio
from demo import model as demo

from ..evidence import demo as on_the_unet
from ..evidence.cast import draw_casts, measure_cast
from ..evidence.demo import FULL_RUN
from ..evidence.loop import Job, Study, below_each_other, beside_each_other, costs
from ..evidence.results import Results
from ..evidence.rows import Setting
from ..evidence.section import put_section
from ..evidence.unsaid import FRAMES, SEED, draw_stories, measure
from ..files import code
from ..training import judge as judging
from ..world.measure import as_bytes
from . import rows as ways
from .model import WEIGHTS, load_transformer
from .report import UNET_ROWS, section
from .rows import EMBEDDINGS, ROWS, STRIPS, SWEEPS

STEPS = 12
UNSAID, CAST = Setting(steps=STEPS), Setting(steps=STEPS, said=1.0)
UNET = Setting()  # the demo model's own
MEASURES = {UNSAID: "", CAST: "cast, ", UNET: "unet, "}
CASTS = ("b", "c", "d", "e", "f1", "h", "i1.2", "j3")
# Of the main rows these come first, then the other tables' stories, then the rest.
FIRST_STORIES, SWEEP_STORIES, CAST_STORIES, UNET_STORIES = 60, 30, 30, 30
CODE = (*(f"lab/transformer/{name}.py" for name in ("model", "text", "rows")), *on_the_unet.CODE)


def jobs(count: int) -> list[list[Job]]:
    """Main rows story by story, so that a stopped run has all rows of as many; the others' turn is
    between the first stories and the rest.
    """
    stories, casts = draw_stories(count), draw_casts(count, FRAMES, SEED)
    first, swept = (min(count, number) for number in (FIRST_STORIES, SWEEP_STORIES))
    cast, unet = (min(count, number) for number in (CAST_STORIES, UNET_STORIES))
    stages = [
        (UNSAID, stories, range(first), list(ROWS.values())),
        (UNSAID, stories, range(swept), list(chain(*SWEEPS.values()))),
        (CAST, casts, range(cast), [ROWS[name] for name in CASTS]),
        (UNET, stories, range(unet), list(UNET_ROWS)),
        (UNSAID, stories, range(first, count), list(ROWS.values())),
    ]
    return [
        [Job(setting, seed, drawn[seed], row) for seed in seeds for row in rows]
        for setting, drawn, seeds, rows in stages
    ]


@lru_cache(maxsize=1)
def equipment() -> tuple[dict[str, Studio], judging.Judge]:
    """The nodes on the transformer, once with each way to take its CLIP, and the judge."""
    inprocess.load_pack()
    import nodes

    studios = {}
    for name in ("", EMBEDDINGS):
        model, clip, _ = load_transformer(reads_length=name == EMBEDDINGS)
        studio = Studio(nodes.NODE_CLASS_MAPPINGS, model, clip, identity="A photo of a fox")
        studio.negative = studio.encode("")
        studios[name] = studio
    return studios, judging.load()


def tell(job: Job) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: its columns, and its pictures side by side."""
    if job.setting == UNET:
        return on_the_unet.tell(job)
    studios, judge = equipment()
    with torch.inference_mode(), costs() as spent:  # as the server does
        latents, seconds = ways.render(studios, job.story, job.row, job.seed, job.setting)
    pictures = latents.clamp(-1, 1).clone()
    columns = (measure_cast if "cast" in job.story else measure)(pictures, job.story, judge)
    strip = beside_each_other([Image.fromarray(picture) for picture in as_bytes(pictures)])
    return {**columns, "seconds": seconds, **spent}, strip


def labelled(ways: list[list[Image.Image]], zoom: int = 3, left: int = 190) -> Image.Image:
    """A line for each of the rows that tell most: its words, and two stories side by side."""
    lines, font = [], ImageFont.load_default(15)
    for (name, label), strips in zip(STRIPS.items(), ways):
        large = [ImageOps.scale(strip, zoom, Image.Resampling.NEAREST) for strip in strips[:2]]
        if large:
            words = Image.new("RGB", (left - 12, large[0].height), "white")
            text, middle = textwrap.fill(f"({name}) {label}", 22), large[0].height / 2
            ImageDraw.Draw(words).multiline_text((6, middle), text, "black", font, anchor="lm")
            lines.append(beside_each_other([words, *large], 12))
    return below_each_other(lines, 12)


def study(options: Namespace) -> Study:
    judging.load()  # trains it where there is none, before the processes part
    count = options.stories or FULL_RUN
    full = count >= FULL_RUN

    def told(results: Results) -> str:
        return section(results, count, UNSAID, CAST, UNET, SWEEP_STORIES)

    def write(results: Results, folder: Path) -> None:
        if folder.name == "docs":
            put_section(folder / "evidence.md", told(results))
        else:
            (folder / "transformer.md").write_text(told(results), encoding="utf-8")

    return Study(
        depends_on=(WEIGHTS, demo.WEIGHTS, judging.WEIGHTS, code(*CODE)),
        stages=jobs(count),
        tell=tell,
        tables=told,
        write=write,
        strips={"evidence-transformer.png": [(UNSAID, ROWS[name]) for name in STRIPS]},
        folder="output/evidence",
        whole_folder="docs" if full else "",
        measures=MEASURES,
        numbers="evidence-transformer.json",
        workers=options.workers,
        sheet=labelled,
    )
