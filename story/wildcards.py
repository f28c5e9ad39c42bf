"""Unexpanded wildcards: `{snow|rain}` and `__place__` are literal text to every text encoder."""

import re
from collections.abc import Iterable

from .marks import shown

CHOICE = re.compile(r"\{[^{}]*\|[^{}]*\}")
FILE = re.compile(r"(?<![\w@])__[\w./*-]*[^\W_][\w./*-]*?__(?!\w)")
SAID = 3


def unexpanded(texts: Iterable[str]) -> list[str]:
    """The first few wildcards of the texts, each once and quoted."""
    found = dict.fromkeys(
        match[0] for text in texts for form in (CHOICE, FILE) for match in form.finditer(text)
    )
    return [f"'{shown(wildcard)}'" for wildcard in list(found)[:SAID]]
