"""The evidence page of the demo model: its text is in `evidence.md.j2`. `bench/run -m lab report`
writes docs/evidence.md again from the numbers in docs/: evidence.json, and of other commands
evidence-likeness.json and evidence-transformer.json.
"""

import json
from pathlib import Path

from bench.inprocess import ROOT

from . import pages
from .chart import draw_doses
from .results import Measured, Tables, read
from .rows import DOSES, HOLDS_MOST, NOT_NAMED, ROWS, SWEEPS, Setting, by_label
from .stories import AT_PLACE, FRAMES

UNSAID, SAID = Setting(), Setting(prefix="said, ", steps=4, cfg=1.0, said=1.0)
CAST = Setting(prefix="cast, ", said=1.0)
# as many frames at once as there are: the pictures are the same
PLACE = Setting(prefix="place, ", said=1.0, batch=FRAMES)
SWEEP_STORIES = 60
EVERY = ROWS | by_label(*DOSES.values(), *SWEEPS.values(), [NOT_NAMED])
MOST = HOLDS_MOST.label
LIKENESS = ROOT / "docs/evidence-likeness.json"  # the study in `likeness.py`, as it was last made
TRANSFORMER = ROOT / "docs/evidence-transformer.json"


def measured(told: Tables) -> dict[str, Measured]:
    settings = {"unsaid": UNSAID, "said": SAID, "cast": CAST, "place": PLACE}
    return {name: Measured(told, setting, EVERY) for name, setting in settings.items()}


def page(told: Tables) -> str:
    """Sections of which nothing was rendered are left out."""
    ways = measured(told)
    unsaid, said = ways["unsaid"], ways["said"]

    def verdicts(name: str) -> str:
        """What a dose changes by two standard errors or more."""
        found = {column: -unsaid.beyond(name, "d", column) for column in ("identity", "colour")}
        found["stated"] = said.beyond(name, "d", "stated")
        words = {1: "better", -1: "worse", 0: "not told apart"}
        of_word = {words[sign]: [c for c in found if found[c] == sign] for sign in words}
        return "; ".join(f"{word}: {', '.join(of)}" for word, of in of_word.items() if of)

    return pages.page(
        "evidence.md.j2",
        **ways,
        complete=all(unsaid.values(name, "identity").count() > 1 for name in ROWS),
        count=unsaid.stories,
        swept=min(unsaid.stories, SWEEP_STORIES),
        frames=FRAMES,
        at_place=AT_PLACE,
        main=ROWS,
        doses={name: list(by_label(rows)) for name, rows in DOSES.items()},
        swept_shares=[*by_label(SWEEPS["strength"], SWEEPS["svr-eot"])],
        most=MOST,
        verdicts=verdicts,
        likeness=json.loads(LIKENESS.read_text()) if LIKENESS.exists() else None,
    )


def printed(told: Tables) -> str:
    """What the command prints: the page's tables from its long one on."""
    ours = page(told).partition("## Every row")[2].partition("## What likeness measures")[0]
    return "\n\n".join(part for part in ours.split("\n\n") if part.startswith(("|", "**")))


def write(told: Tables, folder: Path) -> None:
    """The page, and the chart of the doses. In docs/ the section on the transformer is its end."""
    text = page(told) + (transformer() if folder == ROOT / "docs" else "")
    (folder / "evidence.md").write_text(text, encoding="utf-8")
    if measured(told)["unsaid"].count(MOST):
        draw_doses(measured(told), folder / "evidence-ipca.png")


def transformer() -> str:
    """Its section; empty where there are no numbers."""
    from ..transformer.evidence_transformer import section  # it imports this module

    return "\n" + section(read(TRANSFORMER)) if TRANSFORMER.exists() else ""


def main() -> None:
    told = read(ROOT / "docs/evidence.json")
    write(told, ROOT / "docs")
    print(printed(told))


if __name__ == "__main__":
    main()
