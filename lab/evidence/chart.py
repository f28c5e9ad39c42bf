"""The dose-response picture: panels of strength against a measure, with error bars."""

from pathlib import Path

from .results import Measured
from .rows import DOSES, ROWS, SWEEPS, by_label

# By title: measure, column, and whether SVR's own, strength 0, is taken off.
PANELS = {
    "identity less SVR's (lower is better)": ("unsaid", "identity", True),
    "colour less SVR's (lower is better)": ("unsaid", "colour", True),
    "stated less SVR's (higher is better)": ("said", "stated", True),
    "alignment": ("unsaid", "alignment", False),
}
# By way to remember, the rows' names.
LINES = {name: by_label(rows) for name, rows in DOSES.items()}
LINES["all blocks"] |= {"d": ROWS["d"], "e": ROWS["e"], **by_label(SWEEPS["strength"])}


def draw_doses(measured: dict[str, Measured], path: Path) -> None:
    """Bars are one standard error up and down; strengths are logarithmic from 1 on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 5.8), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for axis, (title, (setting, column, less)) in zip(axes, PANELS.items()):
        way, strengths = measured[setting], set()
        for mark, (line, rows) in zip("os^D", LINES.items()):
            points = []
            for name, row in rows.items():
                values = way.gain(name, "d", column) if less else way.values(name, column)
                strength = 0.0 if row.ipca is None else row.ipca.get("strength", 1.0)
                if values.count() > 1:
                    points.append((strength, values.mean(), values.sem()))
            if points:
                strength, means, errors = zip(*sorted(points))
                axis.errorbar(strength, means, errors, label=line, marker=mark, ms=5, capsize=3)
                strengths |= {*strength}
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
