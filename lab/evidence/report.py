"""The evidence page of the demo model: candour, what the columns mean, the tables, and pictures.
Text and layout alone.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from .cast import COLUMNS as CAST_COLUMNS
from .dose import draw_doses
from .places import AT_PLACE, NOT_NAMED, PLACE_ROWS
from .places import COLUMNS as PLACE_COLUMNS
from .rows import DOSES, HOLDS_MOST, ROWS, SWEEPS, Row, Setting
from .tables import cell, markdown, mean_and_error, paired

Told = list[dict[str, float] | None]  # one row's columns a story; None where it was not rendered
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


class Results:
    """Columns by setting and row, in the order of the stories."""

    def __init__(self, told: dict[tuple[Setting, str], Told]):
        self.told = told

    def has(self, setting: Setting, row: Row) -> bool:
        return any(story is not None for story in self.told.get((setting, row.label), []))

    def column(self, setting: Setting, row: Row, name: str) -> list[float | None]:
        return [None if story is None else story[name] for story in self.told[setting, row.label]]

    def count(self, setting: Setting, row: Row) -> int:
        return sum(story is not None for story in self.told[setting, row.label])

    def gain(self, setting: Setting, row: Row, base: Row, name: str) -> list[float | None]:
        """The row less the base, story by story."""
        return paired(self.column(setting, row, name), self.column(setting, base, name))


def table(results: Results, setting: Setting) -> str:
    """Every row that was rendered, with the paired difference of identity against row (e)."""
    lines = []
    for name, row in {
        **ROWS,
        **{row.label: row for rows in (*DOSES.values(), *SWEEPS.values()) for row in rows},
    }.items():
        if not results.has(setting, row):
            continue
        title = f"({name}) {row.label}" if name in ROWS else row.label
        cells = [cell(results.column(setting, row, column)) for column in COLUMNS]
        seconds = [value for value in results.column(setting, row, "seconds") if value is not None]
        gain = cell(results.gain(setting, row, ROWS["e"], "identity"), "+")
        lines.append(
            [title, str(results.count(setting, row)), *cells, f"{np.median(seconds):.2f}", gain]
        )  # a pause would spoil a mean
    return markdown(["row", "stories", *COLUMNS, "seconds", "identity less (e)'s"], lines)


def share_table(results: Results, unsaid: Setting, said: Setting) -> str:
    """IPCA's rows against SVR alone, on both measures."""
    base = ROWS["d"]
    lines = []
    for row in [
        ROWS["e"],
        *(row for rows in (*DOSES.values(), SWEEPS["strength"], SWEEPS["svr-eot"]) for row in rows),
    ]:
        if not (results.has(unsaid, row) or results.has(said, row)):
            continue
        label = "strength 1, the default" if row is ROWS["e"] else row.label
        line = [label]
        for setting, columns in ((unsaid, ("identity", "colour")), (said, ("stated",))):
            if not results.has(setting, row):
                line += ["-"] * (len(columns) + 2)
                continue
            gains = [results.gain(setting, row, base, column) for column in columns]
            line.append(
                str(
                    sum(
                        value is not None for value in results.gain(setting, row, base, "alignment")
                    )
                )
            )
            line += [cell(gain, "+") for gain in gains] + [
                cell(results.column(setting, row, "alignment"))
            ]
        lines.append(line)
    return markdown(
        ["IPCA", "stories", "identity", "colour", "alignment", "stories", "stated", "alignment"],
        lines,
    )


def cast_table(results: Results, setting: Setting) -> str:
    """The character that is in the frame, and how often an absent one shows."""
    lines = []
    for name, row in ROWS.items():
        if results.has(setting, row):
            cells = [cell(results.column(setting, row, column)) for column in CAST_COLUMNS]
            lines.append([f"({name}) {row.label}", str(results.count(setting, row)), *cells])
    return markdown(["row", "stories", *CAST_COLUMNS], lines) if lines else ""


def place_table(results: Results, setting: Setting) -> str:
    """Whether a place stays the same over its frames, and out of the others."""
    lines = []
    for name, row in {**PLACE_ROWS, "": NOT_NAMED}.items():
        if results.has(setting, row):
            cells = [cell(results.column(setting, row, column)) for column in PLACE_COLUMNS]
            lines.append(
                [
                    f"({name}) {row.label}" if name else row.label,
                    str(results.count(setting, row)),
                    *cells,
                ]
            )
    return markdown(["row", "stories", *PLACE_COLUMNS], lines) if lines else ""


def ratios(results: Results, setting: Setting) -> str:
    """Against separate prompts, the two numbers of the paper's table: row (e), and the setting of
    IPCA that holds most.
    """
    base = {
        column: mean_and_error(results.column(setting, ROWS["a"], column))
        for column in ("identity", "alignment")
    }
    told = []
    for label, row in (("(e)", ROWS["e"]), (f"({HOLDS_MOST.label})", HOLDS_MOST)):
        if results.has(setting, row):
            found = {
                column: mean_and_error(results.column(setting, row, column)) for column in base
            }
            told += [
                f"{column} {label}/(a) = {mean[0] / of_a[0]:.3f}"
                for column, mean in found.items()
                if mean and (of_a := base[column])
            ]
    return f"**{', '.join(told)}** (the paper on SDXL: 0.377 and 0.985)." if told else ""


def page(
    results: Results,
    count: int,
    unsaid: Setting,
    said: Setting,
    cast: Setting,
    place: Setting,
    sweep_stories: int,
) -> str:
    setting = (
        f"`make evidence`: {count} random stories of 5 frames, {unsaid.steps} Euler steps, CFG"
        f" {unsaid.cfg:g}, means with standard errors; sweeps over the first"
        f" {min(count, sweep_stories)}."
    )
    done = results.count(unsaid, ROWS["e"])
    if done < count:
        setting += f" Rendered so far: {done} of the {count}; the same command goes on."
    strips = "\n\n".join(
        f"({name}) {row.label}\n\n![{row.label}](evidence-{name}.png)"
        for name, row in ROWS.items()
        if results.has(unsaid, row)
    )
    base = (
        f"SVR alone: identity {cell(results.column(unsaid, ROWS['d'], 'identity'))}, colour"
        f" {cell(results.column(unsaid, ROWS['d'], 'colour'))}; stated"
        f" {cell(results.column(said, ROWS['d'], 'stated'))}, alignment there"
        f" {cell(results.column(said, ROWS['d'], 'alignment'))}."
    )
    parts = [
        CANDOUR,
        setting,
        LEGEND,
        table(results, unsaid),
        ratios(results, unsaid),
        SHARE.format(steps=said.steps, cfg=said.cfg),
        base,
        share_table(results, unsaid, said),
        "![Strength against identity, stated attributes and alignment](evidence-ipca.png)",
        CASTS.format(steps=cast.steps, cfg=cast.cfg),
        cast_table(results, cast),
        "![Stories with a cast](evidence-cast.png)" if results.has(cast, ROWS["e"]) else "",
        PLACES.format(steps=place.steps, cfg=place.cfg) if place_table(results, place) else "",
        place_table(results, place),
        "![Stories with a place](evidence-place.png)" if results.has(place, ROWS["e"]) else "",
        "## The first stories in every row",
        strips,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def dose_picture(results: Results, unsaid: Setting, said: Setting, path: Path) -> None:
    """Strength against both measures and alignment, a line for each way to remember; strength 0 is
    SVR alone.
    """
    series: dict[str, list[tuple[float, Row]]] = {
        "all blocks": [(0.0, ROWS["d"]), (1.0, ROWS["e"])],
        "protect_identity off": [],
        "up0 alone": [],
    }
    for name in series:
        rows = [*DOSES[name], *(SWEEPS["strength"] if name == "all blocks" else ())]
        series[name] += [(row.ipca["strength"], row) for row in rows if row.ipca is not None]
    panels = {}
    for title, setting, column, against in (
        ("identity less SVR's (lower is better)", unsaid, "identity", ROWS["d"]),
        ("colour less SVR's (lower is better)", unsaid, "colour", ROWS["d"]),
        ("stated less SVR's (higher is better)", said, "stated", ROWS["d"]),
        ("alignment", unsaid, "alignment", None),
    ):
        panels[title] = {
            name: [
                (strength, *found)
                for strength, row in sorted(points, key=lambda point: point[0])
                if results.has(setting, row)
                and (
                    found := mean_and_error(
                        results.gain(setting, row, against, column)
                        if against
                        else results.column(setting, row, column)
                    )
                )
            ]
            for name, points in series.items()
        }
    draw_doses(panels).save(path, optimize=True)


def strip_sheet(strips: list[np.ndarray], zoom: int) -> Image.Image:
    """Strips [h, w, 3] of several stories below each other, each pixel `zoom` times as large."""
    gap = np.full((1, strips[0].shape[1], 3), 255, dtype=np.uint8)
    stacked = np.concatenate([part for strip in strips for part in (gap, strip)][1:])
    return Image.fromarray(stacked.repeat(zoom, 0).repeat(zoom, 1))
