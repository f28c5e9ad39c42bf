"""The evidence on the lab's transformer: `make evidence TRANSFORMER=1`, or fewer by `STORIES=40`.

The same stories and measures as on the demo model, through the pack's nodes and ComfyUI's sampling,
in the rows of `rows.py`; and as a check on the demo model's UNet, factors against SVR. A full run
writes its section of docs/evidence.md, a quick one output/evidence/transformer.md; the text is in
`section.md.j2`.
"""

import json
import textwrap
from argparse import Namespace
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps
from safetensors import safe_open

from bench.studio import Studio
from demo import model as demo

from ..evidence import demo as on_the_unet
from ..evidence import report
from ..evidence.demo import FULL_RUN, told
from ..evidence.loop import Job, Study, below_each_other, beside_each_other, story_by_story
from ..evidence.pages import page
from ..evidence.results import Measured, Tables
from ..evidence.rows import ROWS as UNET_ROWS
from ..evidence.rows import Row, Setting, by_label, studio_on
from ..evidence.stories import draw_casts, draw_stories
from ..files import code
from ..training import judge as judging
from .model import WEIGHTS, load_transformer
from .rows import EMBEDDINGS, ROWS, STRIPS, SWEEPS, render

STEPS = 12
UNSAID, CAST = Setting(steps=STEPS), Setting(prefix="cast, ", steps=STEPS, said=1.0)
UNET = Setting(prefix="unet, ")  # the demo model's own
CASTS = ("b", "c", "d", "e", "f1", "h", "i1.2", "j3")
# SVR without its alphas is what factors on keys and values do: a UNet's cross-attention is linear
# in the embeddings.
FACTORS = Row("factors alone: both alphas 0", svr={"enhance_alpha": 0.0, "weaken_alpha": 0.0})
ON_THE_UNET = by_label([UNET_ROWS["b"], UNET_ROWS["d"], FACTORS])
# Of the main rows these come first, then the other tables' stories, then the rest.
FIRST_STORIES, SWEEP_STORIES, CAST_STORIES, UNET_STORIES = 60, 30, 30, 30
CODE = (*(f"lab/transformer/{name}.py" for name in ("model", "text", "rows")), *on_the_unet.CODE)


def jobs(count: int) -> list[list[Job]]:
    """Main rows of the first stories, the other tables' stories, main rows of the rest."""
    stories, casts = draw_stories(count), draw_casts(count)
    first, *others, whole = (
        story_by_story(way)
        for way in (
            (UNSAID, stories[:FIRST_STORIES], ROWS.values()),
            (UNSAID, stories[:SWEEP_STORIES], SWEEPS),
            (CAST, casts[:CAST_STORIES], [ROWS[name] for name in CASTS]),
            (UNET, stories[:UNET_STORIES], ON_THE_UNET.values()),
            (UNSAID, stories, ROWS.values()),
        )
    )
    return [first, *others, whole[len(first) :]]


@lru_cache(maxsize=1)
def equipment() -> tuple[dict[str, Studio], judging.Judge]:
    """The nodes on the transformer, once with each way to take its CLIP, and the judge."""
    studios = {}
    for name in ("", EMBEDDINGS):
        model, clip, _ = load_transformer(reads_length=name == EMBEDDINGS)
        studios[name] = studio_on(model, clip)
    return studios, judging.load()


def tell(job: Job) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: its columns, and its pictures side by side."""
    return on_the_unet.tell(job) if job.setting == UNET else told(job, render, *equipment())


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


def section(told: Tables) -> str:
    """The section of docs/evidence.md: candour, tables, and a picture."""
    with safe_open(WEIGHTS, "pt") as file:
        record = {name: json.loads(value) for name, value in file.metadata().items()}
        parameters = sum(file.get_tensor(name).numel() for name in file.keys())
    unsaid = Measured(told, UNSAID, ROWS | by_label(SWEEPS))
    cast, unet = Measured(told, CAST, ROWS), Measured(told, UNET, ON_THE_UNET)
    return page(
        "section.md.j2",
        record=record,
        parameters=parameters / 1e6,
        unsaid=unsaid,
        cast=cast,
        unet=unet,
        factors=FACTORS.label,
        done=unsaid.count("e"),
        count=unsaid.stories,
        swept=SWEEP_STORIES,
    )


def write(told: Tables, folder: Path) -> None:
    """In docs/ the page on the demo model has the section, from its numbers."""
    if folder.name == "docs":
        report.main()
    else:
        (folder / "transformer.md").write_text(section(told), encoding="utf-8")


def study(options: Namespace) -> Study:
    judging.load()  # trains it where there is none, before the processes part
    count = options.stories or FULL_RUN
    return Study(
        depends_on=(WEIGHTS, demo.WEIGHTS, judging.WEIGHTS, code(*CODE)),
        stages=jobs(count),
        tell=tell,
        tables=section,
        write=write,
        strips={"evidence-transformer.png": [ROWS[name].label for name in STRIPS]},
        folder="output/evidence",
        whole_folder="docs" if count >= FULL_RUN else "",
        numbers="evidence-transformer.json",
        workers=options.workers,
        sheet=labelled,
    )
