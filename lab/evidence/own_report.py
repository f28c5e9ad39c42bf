"""The page of the evidence on anyone's checkpoint. Text and layout alone."""

from .results import Results, by_row, cell, known, median, quoted
from .rows import Row, Setting

# Table 1 of arXiv 2501.13554, on SDXL and its benchmark of 200 stories: (CLIP-I, CLIP-T on the
# scale used there).
PAPER = {"SDXL, separate prompts": (0.8165, 0.9074), "One-Prompt-One-Story": (0.9117, 0.8942)}


def table(results: Results, setting: Setting, rows: dict[str, Row]) -> str:
    """The rows that were rendered and the paper's; differences are to row (a) on the same
    stories.
    """

    def less(column: str):
        return lambda row: cell(results.gain(setting, row, rows["a"], column), "+")

    def peak(row: Row) -> str:
        return f"{known(results.column(setting, row, 'peak GiB')).max(initial=0):.2f}"

    shown = "whole pictures" if not setting.mask else f"the characters, masked by {setting.mask}"
    more = {
        f"likeness (CLIP-I), {shown}": lambda row: cell(results.column(setting, row, "likeness")),
        "likeness less (a)'s": less("likeness"),
        "fit (CLIP-T)": lambda row: cell(results.column(setting, row, "fit")),
        "fit less (a)'s": less("fit"),
        "seconds per picture": lambda row: median(
            results.column(setting, row, "seconds per picture")
        ),
        "peak GiB": peak,
    }
    likeness, fit = PAPER["SDXL, separate prompts"]
    paper = [
        f"| *the paper: {name}* | 200 | {a} | {a - likeness:+.3f} | {b} | {b - fit:+.3f} |  |  |"
        for name, (a, b) in PAPER.items()
    ]
    return "\n".join([by_row(results, setting, rows, (), more), *paper])


def ratio(results: Results, setting: Setting, rows: dict[str, Row]) -> str:
    fit_e, fit_a = (results.mean(setting, rows[name], "fit") for name in "ea")
    paper = PAPER["One-Prompt-One-Story"][1] / PAPER["SDXL, separate prompts"][1]
    found = f"Fit (e)/(a) = **{fit_e / fit_a:.3f}**, in the paper {paper:.3f}"
    ours = f"{found}: its CLIP-T is on another scale, so compare the ratio."
    return ours if fit_e / fit_a == fit_e / fit_a else ""  # nan where there is no fit


def quotes(results: Results, setting: Setting, rows: dict[str, Row]) -> str:
    found = quoted(
        results,
        setting,
        rows,
        lambda story: story["likeness"],
        "fit",
        lambda story: story["seconds per picture"],
    )
    return f"As a paper would quote it, identity by CLIP-I and alignment by CLIP-T:\n\n{found}"


def tables(results: Results, setting: Setting, rows: dict[str, Row], notes: list[str]) -> str:
    """What the command prints."""
    parts = [*notes, not_masked(results, setting, rows), table(results, setting, rows)]
    parts += [ratio(results, setting, rows), quotes(results, setting, rows)]
    return "\n\n".join(filter(None, parts))


def not_masked(results: Results, setting: Setting, rows: dict[str, Row]) -> str:
    count = sum(known(results.column(setting, row, "not masked")).sum() for row in rows.values())
    if not count:
        return ""
    return f"{setting.mask} found nobody in {count:.0f} pictures: those are compared whole."


def page(
    name: str,
    about: str,
    results: Results,
    setting: Setting,
    rows: dict[str, Row],
    notes: list[str],
) -> str:
    parts = [f"# Evidence on {name}", about, tables(results, setting, rows, notes)]
    parts.append("## The first stories")
    for label, row in rows.items():
        parts += [f"({label}) {row.label}", f"![{row.label}](row-{label}.png)"]
    return "\n\n".join(parts) + "\n"
