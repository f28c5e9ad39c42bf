"""What the registry would publish: every tracked file less those in .comfyignore. It may do nothing
but make pictures.
"""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "open",
    "system",
    "popen",
    "write_text",
    "write_bytes",
    "unlink",
    "rmtree",
    "mkdir",
    "import_module",
    "urlopen",
}
FORBIDDEN_MODULES = {
    "subprocess",
    "socket",
    "urllib",
    "http",
    "requests",
    "pickle",
    "shelve",
    "marshal",
    "ctypes",
    "importlib",
    "shutil",
    "tempfile",
    "runpy",
}
ALLOWED_MODULES_IN = {"token_route.py": {"aiohttp"}}  # the answer's type of the one route
BINARY = {".safetensors": {"demo/story-demo.safetensors", "demo/story-vision.safetensors"}}
TEXT = {".py", ".js", ".css", ".md", ".json", ".toml", ".txt", ""}
PICTURES = {".jpg", ".png"}


def archive() -> list[str]:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    left_out = subprocess.run(
        ["git", "ls-files", "-z", "-i", "-c", "--exclude-from=.comfyignore"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    return sorted(set(filter(None, tracked)) - set(left_out))


FILES = archive()


def test_the_archive_has_the_pack_and_nothing_of_the_workshop():
    assert {
        "__init__.py",
        "nodes/story_prompt.py",
        "demo/model.py",
        "demo/story-demo.safetensors",
        "demo/story-vision.safetensors",
        "web/story_prompt.js",
        "locales/en/nodeDefs.json",
        "workflows/first-story.json",
        "LICENSE",
        "pyproject.toml",
    } <= set(FILES)
    assert not [
        name
        for name in FILES
        if name.startswith(("tests/", "lab/", "bench/", "docs/", ".ci/", ".github/"))
    ]


def test_the_only_binary_is_the_demo_model():
    for name in FILES:
        ending = Path(name).suffix
        assert ending in TEXT | PICTURES or name in BINARY.get(ending, ()), name
        if ending in TEXT:
            (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_python_runs_nothing_loads_nothing_and_writes_nothing(name):
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            is_regex = (
                isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
            )
            assert called not in FORBIDDEN_CALLS or is_regex, f"{name}:{node.lineno} calls {called}"
            assert not (
                called == "load" and getattr(getattr(node.func, "value", None), "id", "") == "torch"
            ), f"{name}:{node.lineno} unpickles"
        modules = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        for module in modules:
            top = module.split(".")[0]
            assert top not in FORBIDDEN_MODULES, f"{name}:{node.lineno} imports {module}"
            assert top != "aiohttp" or top in ALLOWED_MODULES_IN.get(name, ()), (
                f"{name}:{node.lineno} imports {module}"
            )


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_the_page_part_runs_no_text_and_talks_to_our_route_alone(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(
        r"\beval\(|\bnew"
        r" Function\b|XMLHttpRequest|WebSocket|https?://|innerHTML|[^i]\.fetch\(|(?<![\w.])fetch\(",
        text,
    )
    assert set(re.findall(r"fetchApi\(([^,)]*)", text)) <= {"ROUTE"}
    assert set(re.findall(r'from "([^"]+)"', text)) <= {
        "../../scripts/app.js",
        "../../scripts/api.js",
        "./block_families.js",
        "./cast_text.js",
        "./element.js",
        "./encoder_types.js",
        "./frame_row.js",
        "./frames_text.js",
        "./headings_text.js",
        "./items_text.js",
        "./lists_text.js",
        "./marks_text.js",
        "./names_text.js",
        "./paste_list.js",
        "./screenplay_text.js",
        "./selection_text.js",
        "./story_graph.js",
        "./table_text.js",
        "./token_bar.js",
        "./words.js",
    }


def test_the_demo_model_is_plain_safetensors():
    from safetensors import safe_open

    for name, least in (("story-demo", 50), ("story-vision", 30)):
        with safe_open(ROOT / f"demo/{name}.safetensors", "pt") as weights:
            assert len(list(weights.keys())) > least
    assert sum(path.stat().st_size for path in (ROOT / "demo").glob("*.safetensors")) <= 14_000_000


def test_the_version_has_its_entry_in_the_changelog():
    version = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )[1]
    assert (
        re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[1]
        == version
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "workflows").glob("*.json")))
def test_every_workflow_opens_readable_at_its_read_me(name):
    """In a window of 1500x900: large enough for the page to draw text, the note that explains it in
    sight, large graphs in titled groups.
    """
    workflow = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    (scale, offset), nodes = workflow["extra"]["ds"].values(), workflow["nodes"]
    assert 0.6 <= scale <= 1
    (note,) = (node for node in nodes if node.get("title") == "Read me")
    left, top = ((at + moved) * scale for at, moved in zip(note["pos"], offset))
    assert (
        60 <= left
        and left + note["size"][0] * scale < 1500
        and 110 <= top
        and top + note["size"][1] * scale < 900
    ), "behind the page's menus"
    if len(nodes) > 13:
        assert all(group["title"] and group["color"] for group in workflow["groups"])
        for node in nodes:
            assert sum(holds(group["bounding"], node) for group in workflow["groups"]) == 1, (
                f"{node['type']} is in one group"
            )


def holds(box, node) -> bool:
    left, top, width, height = box
    right, bottom = left + width, top + height
    x, y = node["pos"]
    return (
        left <= x
        and top <= y - 30
        and x + node["size"][0] <= right
        and y + (0 if node["flags"].get("collapsed") else node["size"][1]) <= bottom
    )
