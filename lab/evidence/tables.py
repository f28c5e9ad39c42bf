"""Means with standard errors and paired differences, as cells of Markdown tables."""

from collections.abc import Sequence

import numpy as np

Column = Sequence[float | None]


def mean_and_error(values: Column) -> tuple[float, float] | None:
    """Mean and standard error of the stories that have a value; None where fewer than two have."""
    known = np.array([value for value in values if value is not None and not np.isnan(value)])
    return (
        (float(known.mean()), float(known.std(ddof=1) / len(known) ** 0.5))
        if len(known) > 1
        else None
    )


def paired(values: Column, others: Column) -> list[float | None]:
    """Differences story by story, where both have a value."""
    return [None if a is None or b is None else a - b for a, b in zip(values, others)]


def cell(values: Column, sign: str = "", digits: int = 3) -> str:
    """`mean ± standard error`; one value alone without an error, and a dash where there is none."""
    found = mean_and_error(values)
    if found is not None:
        return f"{found[0]:{sign}.{digits}f} ± {found[1]:.{digits}f}"
    return next(
        (
            f"{value:{sign}.{digits}f}"
            for value in values
            if value is not None and not np.isnan(value)
        ),
        "-",
    )


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
