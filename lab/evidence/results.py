"""What was measured: by setting and row a table of stories and columns, and what a page says of it:
means with standard errors.
"""

import json
from collections.abc import Callable, Iterable
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
        return cls(
            1 + max(job.seed for job in jobs), {key: _table(rows) for key, rows in told.items()}
        )

    @classmethod
    def read(cls, path: Path, measures: dict[Setting, str]) -> "Results":
        """The numbers that `as_json` wrote."""
        found, told = json.loads(path.read_text(encoding="utf-8")), {}
        for name, stories in found["rows"].items():
            setting, prefix = next(
                way for way in reversed(measures.items()) if name.startswith(way[1])
            )
            there = {seed: story for seed, story in enumerate(stories) if story}
            told[setting, name.removeprefix(prefix)] = _table(there)
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
        mean, error = gain.mean(), gain.sem()
        return (1 if mean > 0 else -1) if abs(mean) >= 2 * error > 0 else 0

    def ratio(self, name: str, base: str, column: str) -> float:
        """Of the means; nan where a row has fewer than two values."""
        row, other = (self.values(each, column) for each in (name, base))
        few = min(row.count(), other.count()) < 2 or not other.mean()
        return float("nan") if few else row.mean() / other.mean()

    def cell(self, name: str, column: str) -> str:
        return cell(self.values(name, column))

    def less(self, name: str, base: str, column: str = "identity") -> str:
        return cell(self.gain(name, base, column), "+")

    def markdown(
        self,
        columns: Iterable[str],
        more: dict[str, Callable[[str], str]] | None = None,
        names: Iterable[str] | None = None,
    ) -> str:
        """A line for each row that was rendered, of all or of the `names`: its title, how many
        stories, `columns`, and what the functions in `more` give of its name. Empty where none was.
        """
        head = ["row", "stories", *columns, *(more or {})]
        return markdown(
            head,
            [
                [
                    self.title(name),
                    self.count(name),
                    *(self.cell(name, column) for column in columns),
                    *(tell(name) for tell in (more or {}).values()),
                ]
                for name in names or self.rows
                if self.count(name)
            ],
        )

    def title(self, name: str) -> str:
        label = self.rows[name].label
        return label if name == label else f"({name}) {label}"

    def quoted(
        self, quote: Callable[[pd.DataFrame], tuple], names: Iterable[str] | None = None
    ) -> str:
        """What a paper would quote, one line per row. `quote` gives of a row's table identity and
        alignment, both from 0 to 1 and higher better, and seconds per picture; with the harmonic
        mean story by story, and memory.
        """
        lines = []
        for name in names or self.rows:
            if self.count(name):
                identity, alignment, seconds = quote(self.table(name))
                both = pd.concat([identity, alignment], axis=1)
                mean = pd.Series(stats.hmean(both, axis=1))
                peak = number(self.values(name, "peak GiB").max())
                cells = map(cell, (identity, alignment, mean))
                lines.append([self.title(name), *cells, number(seconds.median()), peak])
        head = ["row", "identity", "alignment", "harmonic mean", "seconds per picture", "peak GiB"]
        return markdown(head, lines)


def cell(values: pd.Series, sign: str = "") -> str:
    """`mean ± standard error`; one value alone without an error, and a dash where there is none."""
    error = f" ± {values.sem():.3f}" if values.count() > 1 else ""
    return f"{values.mean():{sign}.3f}{error}" if values.count() else "-"


def number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.2f}"


def markdown(head: list[str], lines: list[list]) -> str:
    """A table; empty without lines."""
    table = [head, ["---"] * len(head), *lines] if lines else []
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in table)
