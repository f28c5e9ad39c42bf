"""The evidence page of the demo model: candour, what the columns mean, the tables, and pictures.
`bench/run -m lab report` writes docs/evidence.md again from the numbers in docs/evidence.json.
"""

import json
from itertools import chain
from pathlib import Path

import numpy as np

from bench.inprocess import ROOT

from . import findings
from .cast import COLUMNS as CAST_COLUMNS
from .chart import draw_doses
from .places import AT_PLACE, NOT_NAMED, PLACE_ROWS
from .places import COLUMNS as PLACE_COLUMNS
from .results import Results, by_row, cell, markdown, mean_and_error, median, quoted
from .rows import DOSES, HOLDS_MOST, ROWS, SWEEPS, Row, Setting
from .section import section_of
from .unsaid import FRAMES

UNSAID, SAID, CAST = Setting(), Setting(steps=4, cfg=1.0, said=1.0), Setting(said=1.0)
# as many frames at once as there are: the pictures are the same
PLACE = Setting(said=1.0, batch=FRAMES)
MEASURES = {UNSAID: "", SAID: "said, ", CAST: "cast, ", PLACE: "place, "}
SWEEP_STORIES = 60
COLUMNS = ("identity", "colour", "colour, scenes right", "alignment", "scene", "prop", "kind")
CANDOUR = """# Evidence on the demo model

The demo model is ours. Its training data was made to contain what the method works on: attributes
that a caption leaves unsaid depend on the scenes it mentions and on the kind of character, token
rows were scaled up and down in training as SVR scales them, some captions hold a cast, and
attention was kept soft (see [lab/README.md](../lab/README.md)). The numbers show that the
implementation does what the method says. They do not show how SDXL scores: `make evidence
CHECKPOINT=..` shows that on a checkpoint of yours."""
LEGEND = """- *identity*: share of the attributes left unsaid that disagree between two frames of a
  story, named by the judge; lower is better.
- *colour*: distance of the character's colours between two frames, without the judge; then the same
  over pairs whose scenes are both right.
- *alignment*: mean of the shares of right scenes, props and kinds; higher is better.
- *seconds*: median for a story on one CPU core, its texts included.
- *identity less (e)'s*: difference on the same stories. Where it is below twice its standard error
  it cannot be told from nothing."""
QUOTED = """## As a paper would quote it

*identity*: share of the unsaid attributes that agree between two frames, 1 less the column above.
*harmonic mean*: of identity and alignment, story by story. *peak GiB*: of the GPU; on a CPU of the
whole process."""
SHARE = """## IPCA's share

Differences to SVR alone, row (d), on the same stories; *stories* have a value in both. The first
columns are the measure above. In the second the identity says everything and the sampler makes it
hard: {steps} steps at CFG {cfg:g}. *stated* is the share of body colours, coat colours and patterns
that come out as said; higher is better. *alignment* is that of the row itself, on each measure."""
CASTS = """## A cast

Stories of 5 frames with two or three characters, said in full, one of them in every frame ({steps}
steps, CFG {cfg:g}). *kind*, *colours* (body and coat), *pattern*, *scene* and *prop*: shares of
frames that show what was said of the character in it. *absent*: share of frames that show another
character of the cast; lower is better."""
PLACES = f"""## A place

Stories of 5 frames with one character and one place in the cast, both said in full; {AT_PLACE}
frames are at the place, the others elsewhere ({{steps}} steps, CFG {{cfg:g}}). The world draws a
place in one way but for which way round it is, which no caption says: that is the place's unsaid
look. Without the judge, past character and props:

- *turned*: share of pairs of the place's frames in which it is turned differently; 0.5 is chance,
  lower is better. *look*: mean difference of their pixels, 0 to 1.
- *place*: share of the place's frames that show it. *others' scene*: share of the other frames that
  show their own. *place elsewhere*: share of them that show the place; lower is better.
- *others alike*: share of pairs of a frame at the place and one elsewhere that are turned the same
  way. At 0.5 the place's turn does not reach them."""

LIKENESS = """## What likeness measures

How well a way to compare pictures tells what is really equal, on {stories} drawn stories of one
kind of character in five scenes: each of body colour, coat colour and pattern is the same in all
frames or drawn anew in each. *rank*: Spearman's correlation over stories of likeness with the share
of attributes that are equal. Standard errors are by bootstrap over stories, those of differences on
the same resamples. *whole pictures* and *masked* are Story Score's likeness without and with its
mask; *layer* is one of the vision model's, in place of its embedding; *colours* are histograms.

Two of the three attributes are colours, so colours tell more here than of most characters. Story
Score's likeness stays the paper's CLIP-I, so that its numbers can be compared."""


def table(results: Results) -> str:
    """Every row that was rendered, with the paired difference of identity against row (e)."""
    rows = ROWS | {row.label: row for row in chain(*DOSES.values(), *SWEEPS.values())}
    more = {
        "seconds": lambda row: median(results.column(UNSAID, row, "seconds")),
        "identity less (e)'s": lambda row: cell(
            results.gain(UNSAID, row, ROWS["e"], "identity"), "+"
        ),
    }
    return by_row(results, UNSAID, rows, COLUMNS, more)


def quotes(results: Results) -> str:
    """Rows (a) to (g), and the setting of IPCA that holds most."""
    rows = ROWS | {HOLDS_MOST.label: HOLDS_MOST}
    return quoted(
        results,
        UNSAID,
        rows,
        lambda story: 1 - story["identity"],
        "alignment",
        lambda story: story["seconds"] / FRAMES,
    )


def share_table(results: Results) -> str:
    """IPCA's rows against SVR alone, on both measures."""

    def cells(row: Row, setting: Setting, *columns: str) -> list[str]:
        if not results.has(setting, row):
            return ["-"] * (len(columns) + 2)
        gains = [results.gain(setting, row, ROWS["d"], column) for column in columns]
        both = sum(
            value is not None for value in results.gain(setting, row, ROWS["d"], "alignment")
        )
        own = cell(results.column(setting, row, "alignment"))
        return [str(both), *(cell(gain, "+") for gain in gains), own]

    more = chain(*DOSES.values(), SWEEPS["strength"], SWEEPS["svr-eot"])
    titles = {"strength 1, the default": ROWS["e"]} | {row.label: row for row in more}
    lines = [
        [label, *cells(row, UNSAID, "identity", "colour"), *cells(row, SAID, "stated")]
        for label, row in titles.items()
        if results.has(UNSAID, row) or results.has(SAID, row)
    ]
    head = ["stories", "identity", "colour", "alignment", "stories", "stated", "alignment"]
    return markdown(["IPCA", *head], lines)


def cast_table(results: Results) -> str:
    """The character that is in the frame, and how often an absent one shows."""
    return by_row(results, CAST, ROWS, CAST_COLUMNS)


def place_table(results: Results) -> str:
    """Whether a place stays the same over its frames, and out of the others."""
    return by_row(results, PLACE, {**PLACE_ROWS, "": NOT_NAMED}, PLACE_COLUMNS)


def ratios(results: Results) -> str:
    """Against separate prompts, the two numbers of the paper's table: row (e), and the setting of
    IPCA that holds most.
    """
    told = []
    for label, row in (("(e)", ROWS["e"]), (f"({HOLDS_MOST.label})", HOLDS_MOST)):
        for column in ("identity", "alignment"):
            found = results.mean(UNSAID, row, column) / (
                results.mean(UNSAID, ROWS["a"], column) or np.nan
            )
            if np.isfinite(found):
                told.append(f"{column} {label}/(a) = {found:.3f}")
    return f"**{', '.join(told)}** (the paper on SDXL: 0.377 and 0.985)." if told else ""


def tables(results: Results) -> str:
    """What the command prints."""
    share = share_table(results) if results.count(UNSAID, HOLDS_MOST) else ""
    parts = [table, lambda _: share, cast_table, place_table, ratios, quotes]
    return "\n\n".join(filter(None, (part(results) for part in parts)))


def page(results: Results, count: int) -> str:
    """Sections of which nothing was rendered are left out."""
    done, swept = results.count(UNSAID, ROWS["e"]), min(count, SWEEP_STORIES)
    setting = (
        f"`make evidence`: {count} random stories of {FRAMES} frames, {UNSAID.steps} Euler steps,"
        f" CFG {UNSAID.cfg:g}, means with standard errors; sweeps over the first {swept}."
    )
    if done < count:
        setting += f" Rendered so far: {done} of the {count}; the same command goes on."
    parts = [CANDOUR, findings.in_short(results, UNSAID, CAST), "## Every row", setting, LEGEND]
    parts += [table(results), ratios(results), QUOTED, quotes(results)]
    if any(results.has(setting, HOLDS_MOST) for setting in (UNSAID, SAID)):
        parts += [
            SHARE.format(steps=SAID.steps, cfg=SAID.cfg),
            findings.of_svr(results, UNSAID, SAID),
            share_table(results),
            "![Strength against identity, stated attributes and alignment](evidence-ipca.png)",
            findings.of_share(results, UNSAID, SAID),
        ]
    if results.has(CAST, ROWS["e"]):
        parts += [CASTS.format(steps=CAST.steps, cfg=CAST.cfg), cast_table(results)]
        parts += ["![Stories with a cast](evidence-cast.png)"]
    if results.has(PLACE, ROWS["e"]):
        parts += [PLACES.format(steps=PLACE.steps, cfg=PLACE.cfg), place_table(results)]
        parts += ["![Stories with a place](evidence-place.png)"]
        parts += [findings.of_places(results, PLACE)]
    parts += [likeness_section(), "## The first stories in every row"]
    for name, row in ROWS.items():
        if results.has(UNSAID, row):
            parts += [f"({name}) {row.label}", f"![{row.label}](evidence-{name}.png)"]
    return "\n\n".join(filter(None, parts)) + "\n"


def likeness_section(numbers: Path = ROOT / "docs/evidence-likeness.json") -> str:
    """The study in `likeness.py`, as it was last made."""
    if not numbers.exists():
        return ""
    told = json.loads(numbers.read_text(encoding="utf-8"))

    def shown(row: dict, value: str, error: str, sign: str = "") -> str:
        return f"{row[value]:{sign}.3f} ± {row[error]:.3f}"

    bases = ("whole pictures", "masked")
    lines = [
        [
            row["way"],
            shown(row, "rank", "error"),
            *(shown(row, f"gain over {base}", f"its error over {base}", "+") for base in bases),
        ]
        for row in told["rows"]
    ]
    head = ["compared", "rank", "less whole pictures'", "less masked's"]
    return f"{LIKENESS.format(stories=told['stories'])}\n\n{markdown(head, lines)}"


def doses(results: Results) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """Strength, mean and standard error of both measures and alignment, a line for each way to
    remember; strength 0 is SVR alone.
    """
    lines = {name: list(rows) for name, rows in DOSES.items()}
    lines["all blocks"] += [ROWS["d"], ROWS["e"], *SWEEPS["strength"]]

    def strength(row: Row) -> float:
        return 0.0 if row.ipca is None else row.ipca.get("strength", 1.0)

    def points(rows: list[Row], setting: Setting, column: str, less: bool) -> list:
        found = []
        for row in sorted(rows, key=strength):
            own = results.column(setting, row, column)
            values = results.gain(setting, row, ROWS["d"], column) if less else own
            if mean := mean_and_error(values):
                found.append((strength(row), *mean))
        return found

    panels = {
        "identity less SVR's (lower is better)": (UNSAID, "identity", True),
        "colour less SVR's (lower is better)": (UNSAID, "colour", True),
        "stated less SVR's (higher is better)": (SAID, "stated", True),
        "alignment": (UNSAID, "alignment", False),
    }
    return {
        title: {name: points(rows, *panel) for name, rows in lines.items()}
        for title, panel in panels.items()
    }


def write(results: Results, folder: Path, count: int) -> None:
    """The page, and the chart of the doses. `make evidence TRANSFORMER=1` writes a section of its
    own, which is kept.
    """
    path = folder / "evidence.md"
    kept = section_of(path.read_text(encoding="utf-8")) if path.exists() else ""
    path.write_text(page(results, count) + kept, encoding="utf-8")
    if results.has(UNSAID, HOLDS_MOST):
        draw_doses(doses(results), folder / "evidence-ipca.png")


def main() -> None:
    results = Results.read(ROOT / "docs/evidence.json", MEASURES)
    count = max(map(len, results.told.values()))
    write(results, ROOT / "docs", count)
    print(tables(results))


if __name__ == "__main__":
    main()
