"""The house: what ships never imports the workshop, and arrows between the rooms go one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each room may import itself and those before it.
ORDER = [
    "errors",
    "log",
    "notices",
    "core",
    "families",
    "story",
    "references",
    "svr",
    "ipca",
    "sheet",
    "batch",
    "machines",
    "score",
    "demo",
    "token_route",
    "nodes",
    "__init__",
]
SHIPPED = sorted(
    path for name in ORDER for path in (*ROOT.glob(f"{name}.py"), *(ROOT / name).rglob("*.py"))
)


def rooms_imported_by(path: Path) -> set[str]:
    """The pack's rooms and modules that a shipped file imports; absolute imports of the workshop by
    their own name.
    """
    inside = path.relative_to(ROOT).parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & {
                "lab",
                "bench",
                "tests",
                "story_pack",
            }
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {(node.module or "").split(".")[0]} & {"lab", "bench", "tests", "story_pack"}
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {(*above, *name.split("."))[0] for name in names}
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_those_below_it_alone(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for other in rooms_imported_by(path):
        assert other in ORDER, f"{room} imports {other}, which does not ship"
        assert ORDER.index(other) <= ORDER.index(room), (
            f"{room} imports {other}, which stands above it"
        )


def test_every_python_file_has_a_room():
    at_the_top = {
        path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()
    }
    assert at_the_top - {"lab", "bench", "tests"} == {
        name for name in ORDER if (ROOT / name).is_dir()
    }
    assert {path.stem for path in ROOT.glob("*.py")} == {
        name for name in ORDER if not (ROOT / name).is_dir()
    }


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parts[-2] == "story"], ids=lambda path: path.name
)
def test_the_story_is_text_alone(path):
    text = path.read_text(encoding="utf-8")
    assert "import torch" not in text and "comfy" not in text.lower().replace("comfyui", "")
