"""The one loop of the evidence, on the demo model and on anyone's: render and judge what is not
there yet, keep it, go on where it was stopped, and report.
"""

import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from bench.inprocess import ROOT

from ..files import Shelf, fingerprint, progress
from .results import Tables, as_json, collect
from .rows import Row, Setting

STRIP_STORIES = 4  # so many of the first stories are shown


class Job(NamedTuple):
    """One story to render in one way."""

    setting: Setting
    seed: int
    story: dict
    row: Row

    @property
    def name(self) -> str:
        """Of its line in the tables."""
        return self.setting.prefix + self.row.label

    def key(self) -> str:
        """By content, never by the place in a list."""
        return fingerprint(self.seed, self.story, self.setting.key(), self.row.key())


def story_by_story(*ways: tuple[Setting, list[dict], Iterable[Row]]) -> list[Job]:
    """Jobs of as many stories of each way, in rows: a stopped run has all rows of its stories."""
    return [
        Job(setting, seed, stories[seed], row)
        for seed in range(len(ways[0][1]))
        for setting, stories, rows in ways
        for row in rows
    ]


@dataclass
class Study:
    """What is rendered, and what is made of it."""

    depends_on: tuple
    stages: list[list[Job]]  # one after the other; the tables are printed after each
    # renders and judges a job: its columns, and its pictures side by side
    tell: Callable[[Job], tuple[dict[str, float], Image.Image]]
    tables: Callable[[Tables], str]
    write: Callable[[Tables, Path], object]  # the page and its charts, into a folder
    strips: dict[str, list[str]]  # files that show the first stories in rows of these names
    folder: str
    whole_folder: str = ""  # instead, where nothing is missing
    numbers: str = "evidence.json"
    workers: int = 1
    # such a file of the strips of every row
    sheet: Callable[[list[list[Image.Image]]], Image.Image] = lambda ways: below_each_other(ways[0])


def go(study: Study, root: Path = ROOT) -> None:
    """Render, keep and report, into folders below `root`."""
    shelf = Shelf(root / "output/evidence/kept", *study.depends_on)
    jobs = [job for stage in study.stages for job in stage]
    folder = root / (study.whole_folder or study.folder)
    for stage in study.stages:
        try:
            run(stage, shelf, study.tell, study.workers)
        except KeyboardInterrupt:
            print("evidence: stopped. The page has what is there; the same command goes on.")
            folder = root / study.folder
            break
        finally:
            told = collect(jobs, shelf)
            print(f"\n{study.tables(told)}\n", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / study.numbers).write_text(as_json(told), encoding="utf-8")
    study.write(told, folder)
    for file, names in study.strips.items():
        strips = [[shelf.get(job.key())[1] for job in jobs if job.name == name] for name in names]
        shown = [[*filter(None, of_row)] for of_row in strips]
        if any(shown):
            study.sheet(shown).save(folder / file, optimize=True)
    print(f"evidence: written into {folder}")


def run(jobs: list[Job], shelf: Shelf, tell: Callable, workers: int = 1) -> None:
    """Render and judge what the shelf lacks; with several `workers` in as many processes, where
    one thread each is faster than all threads on a small model.
    """
    missing = [job for job in jobs if not shelf.get(job.key())[0]]
    there = f"{len(jobs) - len(missing)} of {len(jobs)} are there already"
    print(f"evidence: {there}. Stop it when you like.", flush=True)
    if not missing:
        return
    several = partial(multiprocessing.get_context("fork").Pool, workers, torch.set_num_threads, [1])
    with several() if workers > 1 else nullcontext() as pool:
        told = (pool.imap if pool else map)(tell, missing)
        for job, (columns, strip) in zip(missing, progress(told, "evidence", len(missing), "st")):
            shelf.put(job.key(), columns, strip if job.seed < STRIP_STORIES else None)


@contextmanager
def costs() -> Iterator[dict[str, float]]:
    """`peak GiB` after the block: of the GPU within it; on a CPU of the process so far, which is
    all that it can tell.
    """
    found: dict[str, float] = {}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    yield found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated()
    found["peak GiB"] = peak / 2**30


def below_each_other(pictures: list[Image.Image], gap: int = 6) -> Image.Image:
    """On white, with a gap between them."""
    wide = max(picture.width for picture in pictures)
    pads = [((0, gap), (0, wide - picture.width), (0, 0)) for picture in pictures]
    padded = [np.pad(picture, pad, constant_values=255) for picture, pad in zip(pictures, pads)]
    return Image.fromarray(np.vstack(padded)[: -gap or None])


def beside_each_other(pictures: list[Image.Image], gap: int = 0) -> Image.Image:
    turned = [picture.transpose(Image.Transpose.TRANSPOSE) for picture in pictures]
    return below_each_other(turned, gap).transpose(Image.Transpose.TRANSPOSE)
