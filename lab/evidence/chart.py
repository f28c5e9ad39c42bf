"""The dose-response picture: panels of strength against a measure, with error bars."""

from pathlib import Path

import pandas as pd

from .results import Measured
from .rows import DOSES, SWEEPS

# By title: measure, column, and whether SVR's own, strength 0, is taken off.
PANELS = {
    "identity less SVR's (lower is better)": ("unsaid", "identity", True),
    "colour less SVR's (lower is better)": ("unsaid", "colour", True),
    "stated less SVR's (higher is better)": ("said", "stated", True),
    "alignment": ("unsaid", "alignment", False),
}
# By way to remember, the rows' names and how much of it they have.
LINES = {
    line: {row.label: row.ipca["strength"] for row in rows}
    for line, rows in (DOSES | {"all blocks": DOSES["all blocks"] + SWEEPS["strength"]}).items()
}
LINES["all blocks"] |= {"d": 0.0, "e": 1.0}


def draw_doses(measured: dict[str, Measured], path: Path) -> None:
    """Bars are one standard error up and down; strengths are logarithmic from 1 on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 5.8), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for axis, (title, (setting, column, less)) in zip(axes, PANELS.items()):
        way, strengths = measured[setting], set()
        for mark, (line, rows) in zip("os^D", LINES.items()):
            told = {
                strength: way.gain(name, "d", column) if less else way.values(name, column)
                for name, strength in rows.items()
            }
            points = pd.DataFrame(told).agg(["mean", "sem"]).T.dropna().sort_index()
            if len(points):
                bars = points.index, points["mean"], points["sem"]
                axis.errorbar(*bars, label=line, marker=mark, ms=5, capsize=3)
                strengths |= {*points.index}
        axis.set_title(title, fontsize=10)
        axis.set_xscale("symlog", linthresh=1, linscale=0.4)
        axis.set_xticks(sorted(strengths), [f"{value:g}" for value in sorted(strengths)])
        axis.grid(color="#dddddd")
        if axis.get_ylim()[0] < 0 < axis.get_ylim()[1]:
            axis.axhline(0, color="#999999", lw=1)
        axis.set_axisbelow(True)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names), frameon=False)
    figure.supxlabel("strength; 0 is SVR alone", fontsize=10)
    figure.savefig(path)
