"""What was measured: columns by setting, row and story, as means with standard errors in tables."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from .rows import Row, Setting

Column = Sequence[float | None]  # of a row's stories; None where it was not rendered
Told = list[dict[str, float] | None]


class Results:
    """Columns by setting and row, in the order of the stories."""

    def __init__(self, told: dict[tuple[Setting, str], Told]):
        self.told = told

    @classmethod
    def of(cls, jobs: Iterable, shelf) -> "Results":
        """All that the shelf has of the jobs."""
        told: dict[tuple[Setting, str], dict[int, dict | None]] = {}
        for job in jobs:
            told.setdefault((job.setting, job.row.label), {})[job.seed] = shelf.get(*job.keys())
        longest = max((1 + seed for stories in told.values() for seed in stories), default=0)
        return cls(
            {key: [found.get(seed) for seed in range(longest)] for key, found in told.items()}
        )

    @classmethod
    def read(cls, path: Path, measures: dict[Setting, str]) -> "Results":
        """The numbers that `as_json` wrote."""
        told = {}
        for name, stories in json.loads(path.read_text(encoding="utf-8"))["rows"].items():
            settings = [
                key for key, prefix in measures.items() if prefix and name.startswith(prefix)
            ]
            setting = settings[0] if settings else next(iter(measures))
            label = name.removeprefix(measures[setting])
            told[setting, label] = [
                story
                and {key: math.nan if value is None else value for key, value in story.items()}
                for story in stories
            ]
        longest = max(map(len, told.values()))
        return cls({key: found + [None] * (longest - len(found)) for key, found in told.items()})

    def as_json(self, measures: dict[Setting, str]) -> str:
        """Every number in full; null where there is none."""
        rows = {
            f"{measures.get(setting, '')}{label}": [
                story and {key: None if math.isnan(v) else v for key, v in story.items()}
                for story in stories
            ]
            for (setting, label), stories in self.told.items()
        }
        return json.dumps({"stories": max(map(len, self.told.values())), "rows": rows})

    def has(self, setting: Setting, row: Row) -> bool:
        return self.count(setting, row) > 0

    def count(self, setting: Setting, row: Row) -> int:
        return sum(story is not None for story in self.told.get((setting, row.label), []))

    def column(self, setting: Setting, row: Row, name: str) -> list[float | None]:
        stories = self.told.get((setting, row.label), [])
        return [None if story is None else story.get(name) for story in stories]

    def gain(self, setting: Setting, row: Row, base: Row, name: str) -> list[float | None]:
        """The row less the base, story by story."""
        return paired(self.column(setting, row, name), self.column(setting, base, name))

    def mean(self, setting: Setting, row: Row, name: str) -> float:
        found = mean_and_error(self.column(setting, row, name))
        return found[0] if found else math.nan


def known(values: Column) -> np.ndarray:
    return np.array([value for value in values if value is not None and not math.isnan(value)])


def mean_and_error(values: Column) -> tuple[float, float] | None:
    """Mean and standard error of the stories that have a value; None where fewer than two have."""
    found = known(values)
    return (float(found.mean()), float(stats.sem(found))) if len(found) > 1 else None


def beyond_error(values: Column) -> bool:
    """Whether the mean is two standard errors or more from 0."""
    found = mean_and_error(values)
    return found is not None and abs(found[0]) >= 2 * found[1] > 0


def paired(values: Column, others: Column) -> list[float | None]:
    """Differences story by story, where both have a value."""
    return [None if a is None or b is None else a - b for a, b in zip(values, others)]


def cell(values: Column, sign: str = "", digits: int = 3) -> str:
    """`mean ± standard error`; one value alone without an error, and a dash where there is none."""
    found = mean_and_error(values)
    if found is not None:
        return f"{found[0]:{sign}.{digits}f} ± {found[1]:.{digits}f}"
    return next((f"{value:{sign}.{digits}f}" for value in known(values)), "-")


def median(values: Column) -> str:
    """A pause would spoil a mean of seconds."""
    return f"{np.median(known(values)):.2f}" if len(known(values)) else "-"


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def title(name: str, row: Row) -> str:
    return row.label if name in ("", row.label) else f"({name}) {row.label}"


def by_row(
    results: Results,
    setting: Setting,
    rows: dict[str, Row],
    columns: Sequence[str],
    more: dict[str, Callable[[Row], str]] | None = None,
) -> str:
    """A line for each of the rows that was rendered: its title, of how many stories, `columns`, and
    what else the functions in `more` give. Empty where none was.
    """
    lines = [
        [
            title(name, row),
            str(results.count(setting, row)),
            *(cell(results.column(setting, row, column)) for column in columns),
            *(tell(row) for tell in (more or {}).values()),
        ]
        for name, row in rows.items()
        if results.has(setting, row)
    ]
    return markdown(["row", "stories", *columns, *(more or {})], lines) if lines else ""


def quoted(
    results: Results,
    setting: Setting,
    rows: dict[str, Row],
    identity: Callable[[dict[str, float]], float],
    alignment: str,
    seconds: Callable[[dict[str, float]], float],
) -> str:
    """What a paper would quote, one line per row: identity and alignment, both from 0 to 1 and
    higher better, their harmonic mean story by story, seconds per picture and memory.
    """

    def cells(row: Row) -> list[str]:
        told = [story for story in results.told[setting, row.label] if story is not None]
        both = [(identity(story), story[alignment]) for story in told]
        means = [float(stats.hmean(pair)) if min(pair) >= 0 else math.nan for pair in both]
        peaks = known([story.get("peak GiB") for story in told])
        peak = f"{peaks.max():.2f}" if len(peaks) else "-"
        return [*map(cell, [*zip(*both), means]), median([seconds(story) for story in told]), peak]

    lines = [
        [title(name, row), *cells(row)] for name, row in rows.items() if results.has(setting, row)
    ]
    head = ["row", "identity", "alignment", "harmonic mean", "seconds per picture", "peak GiB"]
    return markdown(head, lines) if lines else ""
