"""The blueprint that ComfyUI lists, and the workflow that has a copy of it."""

import copy
import json
from pathlib import Path

from bench.subgraphs import INPUTS, OUTPUTS, definitions
from bench.workflow import load

FOLDER = Path(__file__).resolve().parents[2] / "subgraphs"
NAME = "One Prompt, One Story"
VALUES = ["identity", "frames", "negative", "width", "height", "seed", "steps", "cfg"]


def blueprint() -> dict:
    return json.loads((FOLDER / f"{NAME}.json").read_text(encoding="ascii"))


def test_a_blueprint_is_one_node_with_its_subgraph():
    """What the page asks of the file; its name is the file's."""
    assert [path.stem for path in FOLDER.glob("*.json")] == [NAME]
    (host,), graphs = blueprint()["nodes"], definitions(blueprint())
    graph = graphs.pop(host["type"])
    assert graphs == {} and graph["name"] == host["title"] == NAME
    assert [slot["name"] for slot in host["inputs"]] == ["model", "clip", "vae", *VALUES]
    assert [slot["name"] for slot in host["outputs"]] == ["pictures", "captions", "storyboard"]
    assert len(host["widgets_values"]) == len(VALUES)
    assert blueprint()["extra"]["BlueprintDescription"] == graph["description"]


def test_both_ends_of_every_link_inside_know_it():
    (graph,) = definitions(blueprint()).values()
    nodes = {node["id"]: node for node in graph["nodes"]}
    for link in graph["links"]:
        name, origin, target = link["id"], link["origin_id"], link["target_id"]
        source = graph["inputs"] if origin == INPUTS else nodes[origin]["outputs"]
        sink = graph["outputs"] if target == OUTPUTS else nodes[target]["inputs"]
        given, taken = source[link["origin_slot"]], sink[link["target_slot"]]
        assert name in given["linkIds" if origin == INPUTS else "links"]
        assert name in (taken["linkIds"] if target == OUTPUTS else [taken["link"]])
        assert given["type"] == link["type"]


def test_widgets_lead_to_nodes_of_core_alone():
    """The page finds a widget inside by its place among the node's inputs, sockets first. A socket
    that a later version adds to one of ours would move it, and the widgets' values with it.
    """
    (graph,) = definitions(blueprint()).values()
    kinds = {node["id"]: node["type"] for node in graph["nodes"]}
    widgets = [place for place, slot in enumerate(graph["inputs"]) if slot["name"] in VALUES]
    assert {
        kinds[link["target_id"]]
        for link in graph["links"]
        if link["origin_id"] == INPUTS and link["origin_slot"] in widgets
    } == {"PrimitiveStringMultiline", "PrimitiveInt", "CLIPTextEncode", "KSampler"}


def test_inner_nodes_have_numbers_of_their_own():
    """The newest page renumbers those that a node of the workflow has too."""
    workflow = load("first-story-simple")
    (graph,) = definitions(workflow).values()
    assert not {node["id"] for node in graph["nodes"]} & {node["id"] for node in workflow["nodes"]}


def test_the_simple_workflow_has_the_blueprint_as_it_is():
    """Only the values differ: those of the small model."""

    def plain(graph: dict) -> dict:
        graph = copy.deepcopy(graph)
        for node in graph["nodes"]:
            node.pop("widgets_values", None)
        return graph

    (ours,), (bundled,) = (
        definitions(each).values() for each in (blueprint(), load("first-story-simple"))
    )
    assert plain(ours) == plain(bundled)
