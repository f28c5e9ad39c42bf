"""The section of docs/evidence.md on the lab's transformer: candour, tables, and a picture."""

import json
from collections.abc import Callable

from safetensors import safe_open

from ..evidence.cast import COLUMNS as CAST_COLUMNS
from ..evidence.results import Results, by_row, cell, markdown, mean_and_error
from ..evidence.rows import ROWS as UNET
from ..evidence.rows import Row, Setting
from ..evidence.section import BEGIN, END
from .model import WEIGHTS
from .rows import ROWS, SWEEPS

COLUMNS = ("identity", "colour", "alignment", "scene", "prop", "kind", "stated")
ALIGNED = 0.985  # of separate prompts' alignment: the paper's on SDXL
# SVR without its alphas is what factors on keys and values do: a UNet's cross-attention is linear
# in the embeddings.
FACTORS = Row("factors alone: both alphas 0", svr={"enhance_alpha": 0.0, "weaken_alpha": 0.0})
IPCA = [("f1", "e"), ("f3", "e"), ("f10", "e"), ("j1", "i1.2"), ("j3", "i1.2"), ("h", "b")]
UNET_ROWS = (UNET["b"], UNET["d"], FACTORS)

CANDOUR = """## A transformer that loses an embedding's length

Qwen-Image, Z-Image and most other transformers normalise every row of the text before they read it.
This one is ours, small, and built of ComfyUI's own Lumina 2 class: {size}. It was trained from
scratch on the drawn world for {minutes} minutes on 2 CPU cores ({seen} pictures) with captions in
which nothing was scaled; its text encoder is the demo model's. **It is judged on a small
transformer of ours, not on theirs.** What a trained Z-Image makes of it, `make evidence UNET=..`
shows (see [lab/README.md](../lab/README.md))."""
SETTING = """`make evidence TRANSFORMER=1`: {done} stories, the same as above, {steps} Euler steps,
CFG {cfg:g}, shared noise unless said; sweeps over the first {swept}.{more} Columns as above.
*stated*: share of body colours, coat colours and patterns that come out as said. *less (b)'s* and
*less (h)'s*: differences of identity on the same stories. enhance_beta 1.1 and 1.2 were chosen on
the first ten stories."""
SUMMARY = """What follows: whether a row draws what its frames say, and whether it keeps more of
the identity than (h), a prompt for each frame. *better*: by at least two standard errors."""
CAST = """### A cast on the transformer

{stories} stories of 5 frames with two or three characters, as above; beta is on absent characters'
words too."""
CHECK = """### The same on the demo model's UNet

In a UNet's cross-attention keys and values are linear in the embeddings, so there SVR with both
alphas 0 is what factors are on a transformer. {stories} stories, {steps} Euler steps."""


def main_table(results: Results, setting: Setting) -> str:
    def gain(name: str) -> Callable[[Row], str]:
        return lambda row: cell(results.gain(setting, row, ROWS[name], "identity"), "+")

    rows = ROWS | {row.label: row for rows in SWEEPS.values() for row in rows}
    more = {"identity less (b)'s": gain("b"), "less (h)'s": gain("h")}
    return by_row(results, setting, rows, COLUMNS, more)


def summary(results: Results, setting: Setting) -> str:
    """Which rows keep what the frames say, and which of them keep more of the identity than (h)."""
    told = []
    for name in ("b", "c", "d", "e", "g", "h", "i1.1", "i1.2", "j1", "j3"):
        if results.has(setting, ROWS[name]):
            own, base = (results.mean(setting, ROWS[row], "alignment") for row in (name, "a"))
            ratio = own / base
            difference, better = less(results, setting, name, "h")
            aligned = "yes" if ratio >= ALIGNED else "no"
            told.append(
                [f"({name}) {ROWS[name].label}", f"{ratio:.3f}", aligned, difference, better]
            )
    head = ["row", "alignment of (a)'s", f"at least {ALIGNED}", "identity less (h)'s", "better"]
    return markdown(head, told)


def ipca_table(results: Results, setting: Setting) -> str:
    """IPCA's own share: rows with it less the same without."""
    told = []
    for name, base in IPCA:
        if results.has(setting, ROWS[name]):
            difference, better = less(results, setting, name, base)
            props = cell(results.gain(setting, ROWS[name], ROWS[base], "prop"), "+")
            told.append([f"({name}) less ({base})", difference, better, props])
    return markdown(["IPCA's share", "identity", "better", "prop"], told)


def less(results: Results, setting: Setting, name: str, base: str) -> tuple[str, str]:
    """The difference of identity, and whether it is below 0 by two standard errors."""
    gain = results.gain(setting, ROWS[name], ROWS[base], "identity")
    found = mean_and_error(gain)
    return cell(gain, "+"), "yes" if found and found[0] < -2 * found[1] else "no"


def cast_table(results: Results, setting: Setting) -> str:
    return by_row(results, setting, ROWS, CAST_COLUMNS)


def unet_table(results: Results, setting: Setting) -> str:
    def gain(row: Row) -> str:
        return cell(results.gain(setting, row, UNET["d"], "identity"), "+")

    columns = ("identity", "colour", "alignment", "scene", "prop")
    rows = {row.label: row for row in UNET_ROWS}
    return by_row(results, setting, rows, columns, {"identity less SVR's": gain})


def section(
    results: Results, count: int, unsaid: Setting, cast: Setting, unet: Setting, swept: int
) -> str:
    with safe_open(WEIGHTS, "pt") as file:
        record = {name: json.loads(value) for name, value in file.metadata().items()}
        parameters = sum(file.get_tensor(name).numel() for name in file.keys())
    size = f"{parameters / 1e6:.1f} million parameters"
    done = results.count(unsaid, ROWS["e"])
    more = (
        "" if done >= count else f" The command renders {count}, and goes on where it was stopped."
    )
    counted = {"done": done, "swept": min(done, swept), "more": more}
    parts = [
        BEGIN,
        CANDOUR.format(size=size, minutes=record["minutes"], seen=f"{record['seen']:,}"),
        SETTING.format(**counted, steps=unsaid.steps, cfg=unsaid.cfg),
        main_table(results, unsaid),
        SUMMARY,
        summary(results, unsaid),
        ipca_table(results, unsaid),
        "The first two stories:",
        "![One prompt on the transformer, row by row](evidence-transformer.png)",
        CAST.format(stories=results.count(cast, ROWS["e"])) if cast_table(results, cast) else "",
        cast_table(results, cast),
        CHECK.format(stories=results.count(unet, FACTORS), steps=unet.steps),
        unet_table(results, unet),
        END,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
