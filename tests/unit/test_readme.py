"""README is for a stranger: short, in narrow lines, in one order, and every link of the front pages
leads somewhere.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHAPTERS = [
    "Install",
    "Quick start",
    "Your own checkpoint",
    "Nodes",
    "Workflows",
    "Models",
    "Limits",
    "Questions",
    "Documentation",
    "Contributing",
    "Citation",
    "Licence",
]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]


def test_readme_is_short_and_narrow():
    lines = README.splitlines()
    assert len(lines) <= 120 and len(README.split()) <= 900
    assert [line for line in lines if len(line) > 120] == []


def test_readme_has_its_chapters_in_order():
    assert re.findall(r"^## (.+)$", README, re.M) == CHAPTERS
    assert "`make demo`" in README and "`make test`" in README


def test_readme_names_every_node():
    pages = {path.stem for path in (ROOT / "web" / "docs").glob("*.md")}
    assert set(re.findall(r"\(web/docs/(\w+)\.md\)", README)) == pages


def test_every_bundled_workflow_is_listed():
    named = set(
        re.findall(r"`([\w-]+)`", (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8"))
    )
    assert named == {path.stem for path in (ROOT / "workflows").glob("*.json")}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.S)
    links = [
        link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))
    ]
    assert [
        link for link in links if not ((ROOT / page).parent / link.split("#")[0]).exists()
    ] == []
