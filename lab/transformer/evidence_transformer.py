"""The evidence on the lab's transformer: `make evidence TRANSFORMER=1`, or fewer by `STORIES=40`.

The same stories and measures as on the demo model, through the pack's nodes and ComfyUI's sampling,
in the rows of `rows.py`; and as a check on the demo model's UNet, factors against SVR.
What has been rendered is kept in output/evidence/kept, so a stopped run goes on where it was. A
full run writes its section of docs/evidence.md, a quick one output/evidence/transformer.md.
"""

import json
import multiprocessing
import os
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from bench import inprocess
from bench.inprocess import ROOT
from bench.studio import Studio
from demo import model as demo

from ..evidence import demo as on_the_unet
from ..evidence.cast import draw_casts, measure_cast
from ..evidence.demo import FRAMES, FULL_RUN, SEED, draw_stories, measure
from ..evidence.report import Results, Told
from ..evidence.rows import Row, Setting
from ..evidence.section import put_section
from ..evidence.shelf import Shelf, code, fingerprint
from ..progress import Progress, replace_whole
from ..training import judge as judging
from ..world.measure import as_bytes
from . import rows as ways
from .model import WEIGHTS, load_transformer
from .report import UNET_ROWS, section
from .rows import EMBEDDINGS, ROWS, STRIPS, SWEEPS

STEPS = 12
UNSAID, CAST = Setting(steps=STEPS), Setting(steps=STEPS, said=1.0)
UNET = Setting()  # the demo model's own
CASTS = ("b", "c", "d", "e", "f1", "h", "i1.2", "j3")
# Of the main rows these come first, then the other tables' stories, then the rest.
FIRST_STORIES, SWEEP_STORIES, CAST_STORIES, UNET_STORIES = 60, 30, 30, 30
STRIP_STORIES = 2
WORKERS = int(os.environ.get("WORKERS", "1" if torch.cuda.is_available() else str(os.cpu_count())))
CODE = (
    *(f"lab/transformer/{name}.py" for name in ("model", "text", "rows")),
    "lab/evidence/rows.py",
    *on_the_unet.CODE,
)

Job = tuple[Setting, int, dict, Row]


def jobs(count: int) -> Iterator[Job]:
    """Main rows story by story, so that a stopped run has all rows of as many; the others' turn is
    between the first stories and the rest.
    """
    stories, casts = draw_stories(count), draw_casts(count, FRAMES, SEED)
    for seed in range(min(count, FIRST_STORIES)):
        yield from ((UNSAID, seed, stories[seed], row) for row in ROWS.values())
    for seed in range(min(count, SWEEP_STORIES)):
        swept = (row for rows in SWEEPS.values() for row in rows)
        yield from ((UNSAID, seed, stories[seed], row) for row in swept)
    for seed in range(min(count, CAST_STORIES)):
        yield from ((CAST, seed, casts[seed], ROWS[name]) for name in CASTS)
    for seed in range(min(count, UNET_STORIES)):
        yield from ((UNET, seed, stories[seed], row) for row in UNET_ROWS)
    for seed in range(FIRST_STORIES, count):
        yield from ((UNSAID, seed, stories[seed], row) for row in ROWS.values())


def keys(job: Job) -> tuple[str, str]:
    """Keys by content, so that no edited story or row takes another's result."""
    setting, seed, story, row = job
    return fingerprint(seed, story, setting.key()), fingerprint(row.key())


@lru_cache(maxsize=1)
def equipment() -> tuple[dict[str, Studio], judging.Judge]:
    """The nodes on the transformer, once with each way to take its CLIP, and the judge."""
    torch.set_num_threads(1 if WORKERS > 1 else torch.get_num_threads())
    inprocess.load_pack()
    import nodes

    studios = {}
    for name in ("", EMBEDDINGS):
        model, clip, _ = load_transformer(reads_length=name == EMBEDDINGS)
        studio = Studio(nodes.NODE_CLASS_MAPPINGS, model, clip, identity="A photo of a fox")
        studio.negative = studio.encode("")
        studios[name] = studio
    return studios, judging.load()


def tell(job: Job) -> tuple[dict[str, float], np.ndarray]:
    """One story in one row: its columns, and its pictures as bytes [FRAMES, 32, 32, 3]."""
    setting, seed, story, row = job
    if setting == UNET:
        return on_the_unet.tell((seed, story, row, setting))
    studios, judge = equipment()
    with torch.inference_mode():  # as the server does
        latents, seconds = ways.render(studios, story, row, seed, setting)
    pictures = latents.clamp(-1, 1).clone()
    columns = (measure_cast if "cast" in story else measure)(pictures, story, judge)
    return {**columns, "seconds": seconds}, as_bytes(pictures)


def run(todo: list[Job], shelf: Shelf) -> None:
    """Render and judge what the shelf lacks, a process for each core."""
    missing = [job for job in todo if shelf.get(*keys(job)) is None]
    print(f"evidence: {len(missing)} of {len(todo)} stories to render", flush=True)
    if not missing:
        return
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        progress = Progress("evidence", len(missing), "stories")
        for job, (columns, pixels) in zip(missing, pool.imap(tell, missing)):
            strip = np.concatenate(pixels, axis=1) if job[1] < STRIP_STORIES else None
            shelf.put(*keys(job), columns, None if strip is None else Image.fromarray(strip))
            progress.step()


def results_of(todo: list[Job], shelf: Shelf) -> Results:
    """All that the shelf has of the jobs."""
    told: dict[tuple[Setting, str], Told] = {}
    for job in todo:
        told.setdefault((job[0], job[3].label), []).append(shelf.get(*keys(job)))
    longest = max(map(len, told.values()))
    return Results({key: found + [None] * (longest - len(found)) for key, found in told.items()})


def strips(todo: list[Job], shelf: Shelf, folder: Path) -> None:
    """A line for each of the rows that tell most, with the first stories side by side."""
    jobs_of = {(job[1], job[3].label): job for job in todo if job[0] == UNSAID}
    lines = []
    for name, label in STRIPS.items():
        found = [jobs_of.get((seed, ROWS[name].label)) for seed in range(STRIP_STORIES)]
        kept = [job for job in found if job and shelf.get(*keys(job))]
        if kept:
            lines.append((f"({name}) {label}", [shelf.pixels(*keys(job)) for job in kept]))
    if lines:
        labelled(lines).save(folder / "evidence-transformer.png", optimize=True)


def labelled(
    lines: list[tuple[str, list[np.ndarray]]], zoom: int = 3, left: int = 190
) -> Image.Image:
    """Strips [h, w, 3] of each line side by side, with its words on the left."""
    gap, (high, wide, _) = 12, lines[0][1][0].shape
    step, across = zoom * high + gap, zoom * wide + gap
    size = (left + across * max(len(strips) for _, strips in lines), step * len(lines))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, (words, pictures) in enumerate(lines):
        text = textwrap.fill(words, 22)
        draw.multiline_text((6, row * step + step / 2), text, "black", font, anchor="lm")
        for place, strip in enumerate(pictures):
            large = Image.fromarray(strip.repeat(zoom, 0).repeat(zoom, 1))
            sheet.paste(large, (left + place * across, row * step))
    return sheet


def write(todo: list[Job], shelf: Shelf, count: int) -> None:
    """The section, its picture, and all numbers as JSON."""
    full = count >= FULL_RUN
    folder = ROOT / ("docs" if full else "output/evidence")
    folder.mkdir(parents=True, exist_ok=True)
    results = results_of(todo, shelf)
    with_record = section(results, count, UNSAID, CAST, UNET, SWEEP_STORIES)
    if full:
        put_section(folder / "evidence.md", with_record)
    else:
        (folder / "transformer.md").write_text(with_record, encoding="utf-8")
    rows = {
        f"{'unet, ' if setting == UNET else 'cast, ' if setting == CAST else ''}{label}": [
            story and {n: None if np.isnan(v) else round(v, 4) for n, v in story.items()}
            for story in stories
        ]
        for (setting, label), stories in results.told.items()
    }
    text = json.dumps({"stories": count, "rows": rows})
    replace_whole(folder / "evidence-transformer.json", lambda part: part.write_text(text))
    strips(todo, shelf, folder)
    print("\n" + with_record)


def main() -> None:
    count = int(os.environ.get("STORIES", str(FULL_RUN)))
    judging.load()  # trains it where there is none, before the processes part
    what = (WEIGHTS, demo.WEIGHTS, judging.WEIGHTS, code(*CODE))
    shelf = Shelf(ROOT / "output/evidence/kept", *what)
    todo = list(jobs(count))
    try:
        run(todo, shelf)
    finally:
        write(todo, shelf, count)


if __name__ == "__main__":
    main()
