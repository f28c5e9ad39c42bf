"""What was measured: by a row's name a table of stories and columns, and what a page says of it:
means with standard errors.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy import stats

from ..files import Shelf
from .rows import Row, Setting

# By `Job.name` [stories, columns]; a story that was not rendered is a line of nan.
Tables = dict[str, pd.DataFrame]


def collect(jobs: Iterable, shelf: Shelf) -> Tables:
    """All that the shelf has of the jobs."""
    told: dict[str, dict[int, dict]] = {}
    for job in jobs:
        told.setdefault(job.name, {})[job.seed] = shelf.get(job.key())[0]
    count = 1 + max(map(max, told.values()))
    return {name: as_table([of.get(n, {}) for n in range(count)]) for name, of in told.items()}


def as_table(stories: list[dict | None]) -> pd.DataFrame:
    return pd.DataFrame([story or {} for story in stories], dtype=float)


def read(path: Path) -> Tables:
    """The numbers that `as_json` wrote."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {name: as_table(stories) for name, stories in rows.items()}


def as_json(told: Tables) -> str:
    """Every number in full; null where there is none."""
    rows = {}
    for name, table in told.items():
        found = rendered(table).astype(object)
        found = found.where(found.notna(), None).to_dict("index")
        rows[name] = [found.get(seed) for seed in table.index]
    return json.dumps({"stories": max(map(len, told.values())), "rows": rows})


def rendered(table: pd.DataFrame) -> pd.DataFrame:
    return table.dropna(how="all")


@dataclass
class Measured:
    """The tables on one setting, of rows by their names."""

    told: Tables
    setting: Setting
    rows: dict[str, Row]

    @property
    def stories(self) -> int:
        """How many there are to be."""
        return max(map(len, self.told.values()))

    def table(self, name: str) -> pd.DataFrame:
        """Of the stories that were rendered."""
        name = self.setting.prefix + self.rows[name].label
        return rendered(self.told.get(name, pd.DataFrame()))

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
