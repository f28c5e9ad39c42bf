"""Pages of Markdown from templates, `*.md.j2` beside the code that fills them in."""

import re
from os.path import basename
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .results import cell, harmonic, number

ROOMS = [Path(__file__).parent, Path(__file__).parents[1] / "transformer"]


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
