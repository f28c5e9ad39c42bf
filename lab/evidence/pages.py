"""Pages of Markdown from templates, `*.md.j2` beside the code that fills them in, and the section
of docs/evidence.md on the transformer, which another command writes than the rest.
"""

import re
from os.path import basename
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .results import cell, harmonic, number

ROOMS = [Path(__file__).parent, Path(__file__).parents[1] / "transformer"]
BEGIN = "<!-- transformer: written by `make evidence TRANSFORMER=1` -->"
END = "<!-- /transformer -->"
SECTION = re.compile(rf"\n*({re.escape(BEGIN)}.*?{re.escape(END)})", re.DOTALL)


def line(text: str) -> str:
    """Words as one line."""
    return " ".join(text.split()) + "\n"


def page(template: str, **told: object) -> str:
    """The template filled in, with one blank line between its parts."""
    environment = Environment(
        loader=FileSystemLoader(ROOMS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ours = {"line": line, "item": lambda text: "- " + line(text), "f": format, "cell": cell}
    environment.filters |= ours | {"number": number, "harmonic": harmonic, "basename": basename}
    text = environment.get_template(template).render(told)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def put_section(path: Path, text: str) -> None:
    """Write the section into the page, in place of the one that is there or at its end."""
    rest = SECTION.sub("", path.read_text(encoding="utf-8")).rstrip()
    path.write_text(f"{rest}\n\n{text}", encoding="utf-8")


def section_of(page: str) -> str:
    """The section as the page has it, which what writes the rest keeps; empty where it has none."""
    found = SECTION.search(page)
    return f"\n{found[1]}\n" if found else ""
