"""The page offers a missing model where its loader carries `properties.models`: name, address and
folder of the file.
"""

import importlib.util
import json
from pathlib import Path

import pytest

from bench.workflow import FILES, load, names

YOURS = {"your_style_lora.safetensors"}  # means a file that only the artist can name
LOADERS = [
    pytest.param(node, id=f"{name}-{node['type']}-{node['id']}")
    for name in names()
    for node in load(name)["nodes"]
    if node["type"] in FILES
    and FILES[node["type"]] != "input"
    and node["widgets_values"][0] not in YOURS
]


def test_every_kind_of_loader_is_known():
    """A loader is a node with a widget that names a model's file."""
    for name in names():
        for node in load(name)["nodes"]:
            values = node.get("widgets_values") or []
            files = [
                value
                for value in values
                if isinstance(value, str)
                and value.endswith((".safetensors", ".ckpt", ".pt", ".pth"))
            ]
            assert not files or (node["type"] in FILES and files == [values[0]]), (
                f"{name}: {node['type']}"
            )


@pytest.mark.parametrize("node", LOADERS)
def test_a_loader_says_where_its_file_comes_from(node):
    (model,) = node["properties"]["models"]
    assert model["name"] == node["widgets_values"][0]
    assert model["directory"] == FILES[node["type"]]
    assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(
        f"/{model['name']}"
    )
    assert "/resolve/" in model["url"], "the file itself, not a page about it"


def test_addresses_are_those_of_comfyuis_own_templates():
    package = importlib.util.find_spec("comfyui_workflow_templates")
    if package is None:
        pytest.skip("this ComfyUI has no package of templates")
    site = Path(next(iter(package.submodule_search_locations))).parent
    known: dict[str, set[tuple[str, str]]] = {}
    for path in site.glob("comfyui_workflow_templates*/**/*.json"):
        for model in models_in(json.loads(path.read_text(encoding="utf-8"))):
            known.setdefault(model["name"], set()).add(
                (model["url"].split("?")[0], model["directory"])
            )
    if not known:
        pytest.skip("this ComfyUI's templates name no models")
    ours = [loader.values[0]["properties"]["models"][0] for loader in LOADERS]
    for model in ours:
        assert (
            model["name"] not in known or (model["url"], model["directory"]) in known[model["name"]]
        ), model["name"]


def models_in(value):
    if isinstance(value, dict):
        if {"name", "url", "directory"} <= value.keys():
            yield value
        for inner in value.values():
            yield from models_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from models_in(inner)
