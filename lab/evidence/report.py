"""The evidence page of the demo model: its text is in `evidence.md.j2`, its tables and chart here.
`bench/run -m lab report` writes docs/evidence.md again from the numbers in docs/evidence.json.
"""

import json
from pathlib import Path

import numpy as np

from bench.inprocess import ROOT

from . import cast, places
from .chart import draw_doses
from .pages import page as filled
from .results import Measured, Results, markdown, number
from .rows import DOSES, HOLDS_MOST, ROWS, SWEEPS, Setting, by_label
from .section import section_of
from .unsaid import FRAMES

UNSAID, SAID, CAST = Setting(), Setting(steps=4, cfg=1.0, said=1.0), Setting(said=1.0)
# as many frames at once as there are: the pictures are the same
PLACE = Setting(said=1.0, batch=FRAMES)
MEASURES = {UNSAID: "", SAID: "said, ", CAST: "cast, ", PLACE: "place, "}
SWEEP_STORIES = 60
COLUMNS = ("identity", "colour", "colour, scenes right", "alignment", "scene", "prop", "kind")
EVERY = ROWS | by_label(*DOSES.values(), *SWEEPS.values(), [places.NOT_NAMED])
MOST = HOLDS_MOST.label


def measured(results: Results) -> dict[str, Measured]:
    settings = {"unsaid": UNSAID, "said": SAID, "cast": CAST, "place": PLACE}
    return {name: Measured(results, setting, EVERY) for name, setting in settings.items()}


def tables(results: Results) -> dict[str, str]:
    """Empty where nothing of one was rendered."""
    unsaid, said, casts, place = measured(results).values()
    less = {"identity less (e)'s": lambda name: unsaid.less(name, "e")}
    seconds = {"seconds": lambda name: number(unsaid.values(name, "seconds").median())}
    short = [*ROWS, *by_label(DOSES["up0 alone"])]
    return {
        "short": unsaid.markdown(("identity", "colour", "alignment"), less, short),
        "rows": unsaid.markdown(COLUMNS, seconds | less),
        "share": share(unsaid, said),
        "cast": casts.markdown(cast.COLUMNS),
        "place": place.markdown(places.COLUMNS),
        "ratios": ratios(unsaid),
        "quoted": unsaid.quoted(
            lambda told: (1 - told["identity"], told["alignment"], told["seconds"] / FRAMES),
            [*ROWS, MOST],
        ),
    }


def share(unsaid: Measured, said: Measured) -> str:
    """IPCA's rows against SVR alone, on both measures."""

    def cells(way: Measured, name: str, *columns: str) -> list:
        if not way.count(name):
            return ["-"] * (len(columns) + 2)
        both = way.gain(name, "d", "alignment").count()
        gains = [way.less(name, "d", column) for column in columns]
        return [both, *gains, way.cell(name, "alignment")]

    shown = ["e", *by_label(*DOSES.values(), SWEEPS["strength"], SWEEPS["svr-eot"])]
    lines = [
        [
            "strength 1, the default" if name == "e" else name,
            *cells(unsaid, name, "identity", "colour"),
            *cells(said, name, "stated"),
        ]
        for name in shown
        if unsaid.count(name) or said.count(name)
    ]
    head = ["stories", "identity", "colour", "alignment", "stories", "stated", "alignment"]
    return markdown(["IPCA", *head], lines)


def ratios(unsaid: Measured) -> str:
    """Against separate prompts, the two numbers of the paper's table: row (e), and the setting of
    IPCA that holds most.
    """
    told = [
        f"{column} ({name})/(a) = {found:.3f}"
        for name in ("e", MOST)
        for column in ("identity", "alignment")
        if np.isfinite(found := unsaid.ratio(name, "a", column))
    ]
    return f"**{', '.join(told)}** (the paper on SDXL: 0.377 and 0.985)." if told else ""


def printed(results: Results) -> str:
    """What the command prints."""
    found = tables(results)
    shown = ["rows", *(["share"] if measured(results)["unsaid"].count(MOST) else [])]
    shown += ["cast", "place", "ratios", "quoted"]
    return "\n\n".join(found[name] for name in shown if found[name])


def page(results: Results, likeness: Path = ROOT / "docs/evidence-likeness.json") -> str:
    """Sections of which nothing was rendered are left out. That on likeness is of the study in
    `likeness.py`, as it was last made.
    """
    ways = measured(results)

    def verdicts(name: str) -> str:
        """What a dose changes by two standard errors or more."""
        found: dict[str, list[str]] = {"better": [], "worse": [], "not told apart": []}
        for way, column, good in (
            ("unsaid", "identity", -1),
            ("unsaid", "colour", -1),
            ("said", "stated", 1),
        ):
            verdict = ("not told apart", "better", "worse")
            found[verdict[good * ways[way].beyond(name, "d", column)]].append(column)
        return "; ".join(f"{key}: {', '.join(names)}" for key, names in found.items() if names)

    return filled(
        "evidence.md.j2",
        **ways,
        tables=tables(results),
        complete=all(ways["unsaid"].values(name, "identity").count() > 1 for name in ROWS),
        count=results.stories,
        swept=min(results.stories, SWEEP_STORIES),
        frames=FRAMES,
        at_place=places.AT_PLACE,
        main=ROWS,
        doses={name: list(by_label(rows)) for name, rows in DOSES.items()},
        most=MOST,
        verdicts=verdicts,
        likeness=json.loads(likeness.read_text()) if likeness.exists() else None,
    )


def doses(results: Results) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """Strength, mean and standard error of both measures and alignment, a line for each way to
    remember; strength 0 is SVR alone.
    """
    ways = measured(results)
    lines = {name: by_label(rows) for name, rows in DOSES.items()}
    lines["all blocks"] |= {"d": ROWS["d"], "e": ROWS["e"], **by_label(SWEEPS["strength"])}

    def points(names: dict, way: Measured, column: str, less: bool) -> list:
        found = []
        for name, row in names.items():
            values = way.gain(name, "d", column) if less else way.values(name, column)
            strength = 0.0 if row.ipca is None else row.ipca.get("strength", 1.0)
            if values.count() > 1:
                found.append((strength, values.mean(), values.sem()))
        return sorted(found)

    panels = {
        "identity less SVR's (lower is better)": (ways["unsaid"], "identity", True),
        "colour less SVR's (lower is better)": (ways["unsaid"], "colour", True),
        "stated less SVR's (higher is better)": (ways["said"], "stated", True),
        "alignment": (ways["unsaid"], "alignment", False),
    }
    return {
        title: {name: points(names, *panel) for name, names in lines.items()}
        for title, panel in panels.items()
    }


def write(results: Results, folder: Path) -> None:
    """The page, and the chart of the doses. `make evidence TRANSFORMER=1` writes a section of its
    own, which is kept.
    """
    path = folder / "evidence.md"
    kept = section_of(path.read_text(encoding="utf-8")) if path.exists() else ""
    path.write_text(page(results) + kept, encoding="utf-8")
    if measured(results)["unsaid"].count(MOST):
        draw_doses(doses(results), folder / "evidence-ipca.png")


def main() -> None:
    results = Results.read(ROOT / "docs/evidence.json", MEASURES)
    write(results, ROOT / "docs")
    print(printed(results))


if __name__ == "__main__":
    main()
