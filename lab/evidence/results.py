"""What was measured: by setting and row a table of stories and columns, and what a page says of it:
means with standard errors.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy import stats

from .rows import Row, Setting


@dataclass
class Results:
    """By setting and a row's label [stories, columns]; a story that was not rendered has no line.
    `stories` is how many there are to be.
    """

    stories: int
    told: dict[tuple[Setting, str], pd.DataFrame]

    @classmethod
    def of(cls, jobs: Iterable, shelf) -> "Results":
        """All that the shelf has of the jobs."""
        told: dict[tuple[Setting, str], dict[int, dict]] = {}
        for job in jobs:
            stories = told.setdefault((job.setting, job.row.label), {})
            if (columns := shelf.get(*job.keys())) is not None:
                stories[job.seed] = columns
        return cls(1 + max(job.seed for job in jobs), {k: _table(rows) for k, rows in told.items()})

    @classmethod
    def read(cls, path: Path, measures: dict[Setting, str]) -> "Results":
        """The numbers that `as_json` wrote."""
        found, told = json.loads(path.read_text(encoding="utf-8")), {}
        for name, stories in found["rows"].items():
            ways = reversed(measures.items())  # that without a prefix comes last
            setting, prefix = next(way for way in ways if name.startswith(way[1]))
            rows = {seed: story for seed, story in enumerate(stories) if story}
            told[setting, name.removeprefix(prefix)] = _table(rows)
        return cls(found["stories"], told)

    def as_json(self, measures: dict[Setting, str]) -> str:
        """Every number in full; null where there is none."""
        rows = {}
        for (setting, label), table in self.told.items():
            found = table.astype(object).where(table.notna(), None).to_dict("index")
            rows[measures.get(setting, "") + label] = [found.get(n) for n in range(self.stories)]
        return json.dumps({"stories": self.stories, "rows": rows})


def _table(stories: dict[int, dict]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(stories, orient="index", dtype=float)


@dataclass
class Measured:
    """The results on one setting, of rows by their names."""

    results: Results
    setting: Setting
    rows: dict[str, Row]

    def table(self, name: str) -> pd.DataFrame:
        return self.results.told.get((self.setting, self.rows[name].label), pd.DataFrame())

    def count(self, name: str) -> int:
        return len(self.table(name))

    def values(self, name: str, column: str) -> pd.Series:
        """By story; nan where there is no value."""
        return self.table(name).get(column, pd.Series(dtype=float))

    def gain(self, name: str, base: str, column: str) -> pd.Series:
        """The row less the base, story by story."""
        return self.values(name, column) - self.values(base, column)

    def beyond(self, name: str, base: str, column: str) -> int:
        """The sign of a gain whose mean is two standard errors or more from 0; else 0."""
        gain = self.gain(name, base, column)
        return (1 if gain.mean() > 0 else -1) if abs(gain.mean()) >= 2 * gain.sem() > 0 else 0

    def ratio(self, name: str, base: str, column: str) -> float:
        """Of the means; nan where a row has fewer than two values."""
        row, other = self.values(name, column), self.values(base, column)
        few = min(row.count(), other.count()) < 2 or other.mean() == 0
        return float("nan") if few else row.mean() / other.mean()

    def cell(self, name: str, column: str) -> str:
        return cell(self.values(name, column))

    def less(self, name: str, base: str, column: str = "identity") -> str:
        return cell(self.gain(name, base, column), "+")

    def title(self, name: str) -> str:
        label = self.rows[name].label
        return label if name == label else f"({name}) {label}"

    def median(self, name: str, column: str) -> str:
        """A pause would spoil a mean of seconds."""
        return number(self.values(name, column).median())

    def most(self, name: str, column: str) -> str:
        return number(self.values(name, column).max())


def cell(values: pd.Series, sign: str = "") -> str:
    """`mean ± standard error`; one value alone without an error, and a dash where there is none."""
    error = f" ± {values.sem():.3f}" if values.count() > 1 else ""
    return f"{values.mean():{sign}.3f}{error}" if values.count() else "-"


def number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.2f}"


def harmonic(values: pd.Series, others: pd.Series) -> pd.Series:
    """The harmonic mean story by story."""
    return pd.Series(stats.hmean([values, others], axis=0))
