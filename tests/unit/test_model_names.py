"""Model names are in tooltips, help and docs in every language: all of them have those of
`families.py`, and say nothing less.
"""

import json
import re
from pathlib import Path

import pytest
from story_pack.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for family in FAMILIES for name in family.names]
NORMALISED = [name for family in FAMILIES if not family.reads_length for name in family.names]
LOCALES = sorted(path.parent.name for path in ROOT.glob("locales/*/nodeDefs.json"))
TEXTS = ["README.md", "docs/compatibility.md", "docs/parameters.md", "web/block_families.js"]
HELP = [
    f"web/docs/{node}{page}" for node in ("IPCAPatch", "SVRReweight") for page in (".md", "/zh.md")
]


def missing(names, text):
    """Those that the text does not have as a name of their own: Qwen-Image is not in Qwen-Image
    2.1, nor Flux in Flux.2.
    """
    found = set(
        re.findall("|".join(re.escape(name) for name in sorted(NAMES, key=len, reverse=True)), text)
    )
    return [name for name in names if name not in found]


def test_a_longer_name_does_not_count_for_a_shorter_one():
    assert missing(["Qwen-Image", "Flux", "Flux.2"], "Qwen-Image 2.1 and Flux.2") == [
        "Qwen-Image",
        "Flux",
    ]


@pytest.mark.parametrize("locale", LOCALES)
def test_tooltips(locale):
    nodes = json.loads((ROOT / f"locales/{locale}/nodeDefs.json").read_text(encoding="utf-8"))
    for node, name in (("IPCAPatch", "model"), ("SVRReweight", "clip")):
        assert not missing(NAMES, nodes[node]["inputs"][name]["tooltip"]), node


@pytest.mark.parametrize("path", TEXTS + HELP)
def test_docs_and_help(path):
    assert not missing(NAMES, (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ["docs/compatibility.md", *HELP])
def test_who_loses_a_rows_length_is_one_list_everywhere(path):
    """Help's lists of language models have these and more: Krea 2, for one, before Ideogram 4."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    assert any(
        not missing(NORMALISED, line) and "Krea 2" not in line.split("Ideogram 4")[0]
        for line in lines
    )
