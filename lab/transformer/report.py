"""The section of docs/evidence.md on the lab's transformer: candour, tables, and a picture."""

import json
from collections.abc import Callable
from pathlib import Path

from safetensors import safe_open

from ..evidence.cast import COLUMNS as CAST_COLUMNS
from ..evidence.results import Results, by_row, cell, mean_and_error
from ..evidence.rows import ROWS as UNET
from ..evidence.rows import Row, Setting
from .model import WEIGHTS
from .rows import ROWS, STRIPS, SWEEPS

BEGIN, END = (
    "<!-- transformer: written by `make evidence TRANSFORMER=1` -->",
    "<!-- /transformer -->",
)
COLUMNS = ("identity", "colour", "alignment", "scene", "prop", "kind", "stated")
ALIGNED = 0.985  # of separate prompts' alignment: the paper's on SDXL
# SVR without its alphas is what factors on keys and values do: a UNet's cross-attention is linear
# in the embeddings.
FACTORS = Row("factors alone: both alphas 0", svr={"enhance_alpha": 0.0, "weaken_alpha": 0.0})
UNET_ROWS = (UNET["b"], UNET["d"], FACTORS)

CANDOUR = """## A transformer that loses an embedding's length

Qwen-Image, Z-Image and most other transformers normalise every row of the text before they read it.
This one is ours, small, and built of ComfyUI's own Lumina 2 class: {size}. It was trained from
scratch on the drawn world for {minutes} minutes on 2 CPU cores ({seen} pictures) with captions in
which nothing was scaled; its text encoder is the demo model's. **It is judged on a small
transformer of ours, not on theirs.** What a trained Z-Image makes of it, `make evidence UNET=..`
shows (see [lab/README.md](../lab/README.md))."""
SETTING = """`make evidence TRANSFORMER=1`: {count} stories, the same as above, {steps} Euler steps,
CFG {cfg:g}, shared noise unless said; sweeps over the first {swept}. Columns as above. *stated*:
share of body colours, coat colours and patterns that come out as said. *less (b)'s* and *less
(h1)'s*: differences of identity on the same stories."""
CAST = """### A cast on the transformer

{stories} stories of 5 frames with two or three characters, as above; beta is on absent characters'
words too."""
CHECK = """### The same on the demo model's UNet

In a UNet's cross-attention keys and values are linear in the embeddings, so there SVR with both
alphas 0 is what factors are on a transformer. {stories} stories, {steps} Euler steps."""


def main_table(results: Results, setting: Setting) -> str:
    def less(name: str) -> Callable[[Row], str]:
        return lambda row: cell(results.gain(setting, row, ROWS[name], "identity"), "+")

    rows = ROWS | {row.label: row for rows in SWEEPS.values() for row in rows}
    more = {"identity less (b)'s": less("b"), "less (h)'s": less("h")}
    return by_row(results, setting, rows, COLUMNS, more)


def findings(results: Results, setting: Setting) -> str:
    """What the rows show, each with its error, in sentences that the numbers choose."""

    def mean(name: str, column: str) -> float:
        return results.mean(setting, ROWS[name], column)

    def less(name: str, base: str) -> tuple[str, bool]:
        gain = results.gain(setting, ROWS[name], ROWS[base], "identity")
        found = mean_and_error(gain)
        return cell(gain, "+"), bool(found and found[0] < -2 * found[1])

    told = []
    for name in ("c", "d", "e", "g", "h", "i1.1", "i1.2", "j1", "j3"):
        ratio = mean(name, "alignment") / mean("a", "alignment")
        verdict = "keeps the scenes" if ratio >= ALIGNED else "does not keep the scenes"
        told.append(
            f"- ({name}) {verdict}: alignment {ratio:.3f} of (a)'s, scenes right"
            f" {mean(name, 'scene'):.3f}."
        )
    pairs = [(name, "h") for name in ("b", "e", "i1.1", "i1.2", "j1", "j3")]
    pairs += [("f1", "e"), ("f3", "e"), ("f10", "e"), ("j1", "i1.2"), ("j3", "i1.2"), ("h", "b")]
    for name, base in pairs:
        if results.has(setting, ROWS[name]) and results.has(setting, ROWS[base]):
            difference, better = less(name, base)
            ratio = mean(name, "alignment") / mean("a", "alignment")
            verdict = "better" if better else "not better by two standard errors"
            told.append(
                f"- identity of ({name}) less ({base})'s: {difference}, {verdict}; alignment"
                f" {ratio:.3f} of (a)'s."
            )
    return "\n".join(told)


def cast_table(results: Results, setting: Setting) -> str:
    return by_row(results, setting, ROWS, CAST_COLUMNS)


def unet_table(results: Results, setting: Setting) -> str:
    def less(row: Row) -> str:
        return cell(results.gain(setting, row, UNET["d"], "identity"), "+")

    columns = ("identity", "colour", "alignment", "scene", "prop")
    rows = {row.label: row for row in UNET_ROWS}
    return by_row(results, setting, rows, columns, {"identity less SVR's": less})


def section(
    results: Results, count: int, unsaid: Setting, cast: Setting, unet: Setting, swept: int
) -> str:
    with safe_open(WEIGHTS, "pt") as file:
        record = {name: json.loads(value) for name, value in file.metadata().items()}
        parameters = sum(file.get_tensor(name).numel() for name in file.keys())
    size = f"{parameters / 1e6:.1f} million parameters"
    counted = {"count": count, "swept": min(count, swept)}
    strip = ", ".join(f"({name}) {ROWS[name].label}" for name in STRIPS)
    parts = [
        BEGIN,
        CANDOUR.format(size=size, minutes=record["minutes"], seen=f"{record['seen']:,}"),
        SETTING.format(**counted, steps=unsaid.steps, cfg=unsaid.cfg),
        main_table(results, unsaid),
        findings(results, unsaid),
        f"The first stories; the lines of each are {strip}.",
        "![One prompt on the transformer, row by row](evidence-transformer.png)",
        CAST.format(stories=results.count(cast, ROWS["e"])) if cast_table(results, cast) else "",
        cast_table(results, cast),
        CHECK.format(stories=results.count(unet, FACTORS), steps=unet.steps),
        unet_table(results, unet),
        END,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def put_section(path: Path, text: str) -> None:
    """Write the section into the page, in place of the one that is there or at its end."""
    page = path.read_text(encoding="utf-8")
    path.write_text(without_section(page) + "\n" + text, encoding="utf-8")


def without_section(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return (before.rstrip() + rest.partition(END)[2]).rstrip() + "\n"


def section_of(page: str) -> str:
    """The section as the page has it, which what writes the rest keeps; empty where it has none."""
    _, begin, rest = page.partition(BEGIN)
    return f"\n{begin}{rest.partition(END)[0]}{END}\n" if begin else ""
