"""The dose-response picture: panels of strength against a measure, with error bars."""

from pathlib import Path

Points = list[tuple[float, float, float]]  # strength, mean, standard error
MARKS = "os^D"


def draw_doses(panels: dict[str, dict[str, Points]], path: Path, columns: int = 2) -> None:
    """One panel per title, one line per series. Bars are one standard error up and down; strengths
    are logarithmic from 1 on.
    """
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 2.9 * rows), dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (title, series) in zip(axes, panels.items()):
        axis.set_title(title, fontsize=10)
        for mark, (name, points) in zip(MARKS, series.items()):
            if points:
                across, means, errors = zip(*points)
                axis.errorbar(across, means, errors, label=name, marker=mark, ms=5, capsize=3)
        axis.set_xscale("symlog", linthresh=1, linscale=0.4)
        strengths = {point[0] for points in series.values() for point in points}
        axis.set_xticks(sorted(strengths), [f"{value:g}" for value in sorted(strengths)])
        axis.grid(color="#dddddd")
        if axis.get_ylim()[0] < 0 < axis.get_ylim()[1]:
            axis.axhline(0, color="#999999", lw=1)
        axis.set_axisbelow(True)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names), frameon=False)
    figure.supxlabel("strength; 0 is SVR alone", fontsize=10)
    figure.savefig(path)
