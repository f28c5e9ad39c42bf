"""Pages of Markdown from templates, `*.md.j2` beside the code that fills them in."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
    environment.filters |= {"line": line, "item": lambda text: "- " + line(text), "f": format}
    text = environment.get_template(template).render(told)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
