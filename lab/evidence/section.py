"""The section of docs/evidence.md on the transformer: another command writes the rest."""

from pathlib import Path

BEGIN, END = (
    "<!-- transformer: written by `make evidence TRANSFORMER=1` -->",
    "<!-- /transformer -->",
)


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
