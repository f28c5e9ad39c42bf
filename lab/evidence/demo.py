"""The evidence: the same random stories rendered in several ways, judged. `make evidence`, or
`STORIES=40 make evidence`.

Every row goes through the pack's nodes and ComfyUI's own sampling on the demo model. Identities
leave attributes unsaid, so that there is something to keep; in a second measure they say
everything, and few steps without CFG make that hard to draw. In a third there is a cast
(`cast.py`), in a fourth a place in the cast (`places.py`). Writes evidence.md, evidence.json and
pictures: a full run, of at least 200 stories, into docs/, a quick one into output/evidence/. What
has been rendered is kept in output/evidence/kept, so a stopped run goes on where it was.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench import inprocess
from bench.inprocess import ROOT
from bench.studio import Studio
from demo.model import WEIGHTS

from ..progress import Progress, spoken
from ..training import judge as judging
from ..world.captions import IDENTITY, OPENINGS, frame_phrase, identity_phrase
from ..world.measure import as_bytes, colour_distance, scene_of
from ..world.palette import COLOUR_NAMES, PATTERNS
from ..world.render import NAMES
from .cast import draw_casts, measure_cast
from .places import NOT_NAMED, PLACE_ROWS, draw_places, measure_places
from .report import (
    Results,
    Told,
    cast_table,
    dose_picture,
    page,
    place_table,
    ratios,
    share_table,
    strip_sheet,
    table,
)
from .rows import DOSES, ROWS, SWEEPS, Row, Setting, render
from .section import section_of
from .shelf import Shelf, code, fingerprint

FULL_RUN = 200
FRAMES, SEED = 5, 2026
UNSAID, SAID, CAST = Setting(), Setting(steps=4, cfg=1.0, said=1.0), Setting(said=1.0)
PLACE = Setting(
    said=1.0, batch=FRAMES
)  # as many frames at once as there are: the pictures are the same
MEASURES = {UNSAID: "", SAID: "said, ", CAST: "cast, ", PLACE: "place, "}
STRIP_STORIES = 4
SWEEP_STORIES = 60
WORKERS = int(os.environ.get("WORKERS", "1" if torch.cuda.is_available() else str(os.cpu_count())))
# What a result depends on besides weights, story, row and setting.
CODE = (
    *(
        "story",
        "svr",
        "ipca",
        "batch",
        "demo/model.py",
        "lab/world",
        "lab/evidence/rows.py",
        "lab/evidence/cast.py",
        "lab/evidence/places.py",
        "bench/studio.py",
    ),
    *(f"nodes/{name}.py" for name in ("story_prompt", "svr_reweight", "ipca_patch", "story_batch")),
)


def draw_stories(count: int, chance: float = UNSAID.said) -> list[dict]:
    """Identity, frames and their true scenes and props; an attribute is said with probability
    `chance`.
    """
    rng = np.random.default_rng(SEED)
    stories = []
    for _ in range(count):
        kind = str(rng.choice(NAMES["kind"]))
        said = {
            name: str(rng.choice(values)) if rng.random() < chance else None
            for name, values in zip(IDENTITY, (COLOUR_NAMES, COLOUR_NAMES, PATTERNS))
        }
        scenes = [
            NAMES["scene"][index]
            for index in rng.choice(len(NAMES["scene"]), FRAMES, replace=False)
        ]
        props = [NAMES["prop"][index] for index in rng.integers(len(NAMES["prop"]), size=FRAMES)]
        stories.append(
            {
                "identity": identity_phrase(kind, **said, opening=OPENINGS[0]),
                "kind": kind,
                "said": {name: value for name, value in said.items() if value is not None},
                "unsaid": [name for name in IDENTITY if said[name] is None],
                "scenes": scenes,
                "props": props,
                "frames": [frame_phrase(*frame, rng) for frame in zip(scenes, props)],
            }
        )
    return stories


def measure(pictures: torch.Tensor, story: dict, judge: judging.Judge) -> dict[str, float]:
    """One story's columns. Identity: share of unsaid attributes that disagree between two frames;
    colours without the judge.
    """
    named = {
        name: [NAMES[name][index] for index in found.tolist()]
        for name, found in judge.name(pictures).items()
    }
    pairs = list(combinations(range(FRAMES), 2))
    unsaid = story["unsaid"]
    right = {
        "scene": [a == b for a, b in zip(named["scene"], story["scenes"])],
        "prop": [a == b for a, b in zip(named["prop"], story["props"])],
        "kind": [found == story["kind"] for found in named["kind"]],
    }
    stated = [found == value for name, value in story["said"].items() for found in named[name]]
    columns = {name: float(np.mean(values)) for name, values in right.items()}
    columns["alignment"] = float(np.mean([columns[name] for name in ("scene", "prop", "kind")]))
    columns["identity"] = (
        float(np.mean([named[name][i] != named[name][j] for name in unsaid for i, j in pairs]))
        if unsaid
        else float("nan")
    )
    columns["stated"] = float(np.mean(stated)) if stated else float("nan")
    columns["colour"] = colour_distance(pictures, story["kind"], story["props"])
    placed = [
        index
        for index in range(FRAMES)
        if scene_of(pictures[index], story["kind"]) == story["scenes"][index]
    ]
    columns["colour, scenes right"] = (
        colour_distance(
            pictures[placed], story["kind"], [story["props"][index] for index in placed]
        )
        if len(placed) > 1
        else float("nan")
    )
    return columns


def tell(job: tuple[int, dict, Row, Setting]) -> tuple[dict[str, float], np.ndarray]:
    """One story in one row: its columns, and its pictures as bytes [FRAMES, 32, 32, 3]."""
    seed, story, row, setting = job
    studio, judge = equipment()
    with torch.inference_mode():  # as the server does
        latents, seconds = render(studio, story, row, seed, setting)
    pictures = latents.clamp(-1, 1).clone()
    if "place" in story:
        columns = measure_places(pictures, story)
    else:
        columns = (measure_cast if "cast" in story else measure)(pictures, story, judge)
    return {**columns, "seconds": seconds}, as_bytes(pictures)


@lru_cache(maxsize=1)
def equipment() -> tuple[Studio, judging.Judge]:
    """The nodes on the demo model, and the judge: once a process."""
    torch.set_num_threads(1 if WORKERS > 1 else torch.get_num_threads())
    inprocess.load_pack()
    import nodes

    model, clip, *_ = nodes.NODE_CLASS_MAPPINGS["StoryDemoModel"].execute().args
    studio = Studio(nodes.NODE_CLASS_MAPPINGS, model, clip, identity="A photo of a fox")
    studio.negative = studio.encode("")
    return studio, judging.load()


Job = tuple[Setting, int, dict, Row]


def jobs(count: int, sweeps: bool) -> Iterator[Job]:
    """What is to be rendered: story by story, so that a stopped run has all rows of as many
    stories; sweeps last.
    """
    unsaid, said, casts = (
        draw_stories(count),
        draw_stories(count, SAID.said),
        draw_casts(count, FRAMES, SEED),
    )
    places, not_named = (
        draw_places(count, FRAMES, SEED),
        draw_places(count, FRAMES, SEED, named=False),
    )
    doses = [row for rows in DOSES.values() for row in rows]
    for seed in range(count):
        yield from ((UNSAID, seed, unsaid[seed], row) for row in (*ROWS.values(), *doses))
        yield from ((SAID, seed, said[seed], row) for row in (ROWS["d"], ROWS["e"], *doses))
        yield from ((CAST, seed, casts[seed], ROWS[name]) for name in "de")
        yield from place_jobs(seed, places, not_named)
    if sweeps:
        for seed in range(min(count, SWEEP_STORIES)):
            yield from (
                (UNSAID, seed, unsaid[seed], row) for rows in SWEEPS.values() for row in rows
            )


def place_jobs(seed: int, places: list[dict], not_named: list[dict]) -> Iterator[Job]:
    """The rows of a story with a place: named in the cast, and once as plain words."""
    yield from ((PLACE, seed, places[seed], row) for row in PLACE_ROWS.values())
    yield PLACE, seed, not_named[seed], NOT_NAMED


def keys(job: Job) -> tuple[str, str]:
    """The two keys under which a shelf keeps the job: by content, so that no edited story or row
    takes another's result.
    """
    setting, seed, story, row = job
    return fingerprint(seed, story, setting.key()), fingerprint(row.key())


def run(todo: list[Job], shelf: Shelf) -> None:
    """Render and judge what the shelf lacks, a process a core: one thread each is faster than all
    threads on so small a model.
    """
    missing = [job for job in todo if shelf.get(*keys(job)) is None]
    print(
        f"evidence: {len(todo) - len(missing)} of {len(todo)} stories are there already", flush=True
    )
    if not missing:
        return
    start = time.monotonic()
    with (
        multiprocessing.get_context("fork").Pool(WORKERS) if WORKERS > 1 else nullcontext()
    ) as pool:  # one shares a GPU with no other
        results = (pool.imap if pool else map)(
            tell, ((seed, story, row, setting) for setting, seed, story, row in missing)
        )
        progress = Progress("evidence", len(missing), "stories")
        for job, (columns, pixels) in zip(missing, results):
            strip = (
                Image.fromarray(np.concatenate(pixels, axis=1)) if job[1] < STRIP_STORIES else None
            )
            shelf.put(*keys(job), columns, strip)
            if progress.done == 0:
                whole = len(missing) * columns["seconds"] / WORKERS
                print(
                    f"evidence: {len(missing)} stories to render, {WORKERS} at a time: about"
                    f" {spoken(whole)}. Stop it when you like."
                )
            progress.step()
    print(f"evidence: rendered in {spoken(time.monotonic() - start)}", flush=True)


def results_of(todo: list[Job], shelf: Shelf) -> Results:
    """All that the shelf has of the jobs."""
    told: dict[tuple[Setting, str], Told] = {}
    for job in todo:
        setting, seed, _, row = job
        stories = told.setdefault((setting, row.label), [])
        stories += [None] * (seed + 1 - len(stories))
        stories[seed] = shelf.get(*keys(job))
    longest = max(map(len, told.values()))
    return Results(
        {name: stories + [None] * (longest - len(stories)) for name, stories in told.items()}
    )


def write(todo: list[Job], shelf: Shelf, count: int, folder: Path) -> None:
    """The page, its pictures, and all numbers as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    results = results_of(todo, shelf)
    path = folder / "evidence.md"
    # `make evidence TRANSFORMER=1` writes a section of its own.
    kept = section_of(path.read_text(encoding="utf-8")) if path.exists() else ""
    text = page(results, count, UNSAID, SAID, CAST, PLACE, SWEEP_STORIES)
    path.write_text(text + kept, encoding="utf-8")
    rows = {
        f"{MEASURES[setting]}{label}": [
            story
            and {
                name: None if np.isnan(value) else round(value, 4) for name, value in story.items()
            }
            for story in stories
        ]
        for (setting, label), stories in results.told.items()
    }
    (folder / "evidence.json").write_text(json.dumps({"stories": count, "rows": rows}))
    dose_picture(results, UNSAID, SAID, folder / "evidence-ipca.png")
    for name, (setting, row) in {
        **{name: (UNSAID, row) for name, row in ROWS.items()},
        "cast": (CAST, ROWS["e"]),
        "place": (PLACE, ROWS["e"]),
    }.items():
        told = [
            job
            for job in todo
            if job[0] == setting
            and job[3] == row
            and job[1] < STRIP_STORIES
            and shelf.get(*keys(job))
        ]
        if told:
            strip_sheet([shelf.pixels(*keys(job)) for job in told], zoom=3).save(
                folder / f"evidence-{name}.png", optimize=True
            )
    tables = [
        table(results, UNSAID),
        share_table(results, UNSAID, SAID),
        cast_table(results, CAST),
        place_table(results, PLACE),
        ratios(results, UNSAID),
    ]
    print("\n" + "\n\n".join(tables) + f"\n{folder / 'evidence.md'}")


def main() -> None:
    count = int(os.environ.get("STORIES", str(FULL_RUN)))
    judging.load()  # trains it where there is none, before the processes part
    shelf = Shelf(ROOT / "output/evidence/kept", WEIGHTS, judging.WEIGHTS, code(*CODE))
    todo = list(jobs(count, sweeps=os.environ.get("SWEEPS", "1") != "0"))
    complete = False
    try:
        run(todo, shelf)
        complete = True
    except KeyboardInterrupt:
        print("evidence: stopped. The page has what is there; the same command goes on.")
    write(
        todo, shelf, count, ROOT / ("docs" if complete and count >= FULL_RUN else "output/evidence")
    )
