"""Subgraphs in a workflow file: nodes that stand for several others, as the page saves them.

The server knows no subgraphs. Before a run the page replaces such a node, its host, by the nodes
inside: node 12 in host 3 becomes "3:12". `unfolded` does the same to a workflow file.
"""

import copy
from collections.abc import Iterator

INPUTS, OUTPUTS = -10, -20  # node ids that stand for a subgraph's own inputs and outputs


def definitions(workflow: dict) -> dict[str, dict]:
    """The workflow's subgraphs by their id, which is the type of their hosts."""
    return {each["id"]: each for each in workflow.get("definitions", {}).get("subgraphs", [])}


def all_nodes(workflow: dict) -> Iterator[dict]:
    """Every node that the server will see: those inside subgraphs instead of their hosts."""
    known = definitions(workflow)
    for graph in (workflow, *known.values()):
        yield from (node for node in graph["nodes"] if node["type"] not in known)


def unfolded(workflow: dict) -> dict:
    """A copy without subgraphs. A value on a host's widget is in its inner node's `promoted`, by
    the name of the widget there.
    """
    known = definitions(workflow)
    out = copy.deepcopy(workflow)
    while hosts := [node for node in out["nodes"] if node["type"] in known]:
        _unfold(out, hosts[0], copy.deepcopy(known[hosts[0]["type"]]))
    return out


def _unfold(workflow: dict, host: dict, graph: dict) -> None:
    """Put the subgraph's nodes and links into the workflow, in place of its host."""
    for node in graph["nodes"]:
        node["id"] = f"{host['id']}:{node['id']}"
    inside = {node["id"]: node for node in graph["nodes"]}
    origins = {link[0]: link[1:3] for link in workflow["links"]}
    values = dict(
        zip((slot["name"] for slot in host["inputs"] if "widget" in slot), _values_of(host))
    )
    sources: dict[int, list] = {}  # by output: the inner node and its slot
    links = []
    for link in graph["links"]:
        name = f"{host['id']}:{link['id']}"
        origin = [f"{host['id']}:{link['origin_id']}", link["origin_slot"]]
        if link["target_id"] == OUTPUTS:
            sources[link["target_slot"]] = origin
            continue
        target = f"{host['id']}:{link['target_id']}"
        entry = inside[target]["inputs"][link["target_slot"]]
        if link["origin_id"] == INPUTS:
            slot = next(
                each
                for each in host["inputs"]
                if each["name"] == graph["inputs"][link["origin_slot"]]["name"]
            )
            if slot.get("link") is None:
                entry["link"] = None
                if slot["name"] in values:
                    promoted = inside[target].setdefault("promoted", {})
                    promoted[entry["name"]] = values[slot["name"]]
                continue
            origin = origins[slot["link"]]
        entry["link"] = name
        links.append([name, *origin, target, link["target_slot"], link["type"]])
    for link in workflow["links"]:
        if link[1] == host["id"]:
            link[1:3] = sources[link[2]]
    workflow["nodes"] = [node for node in workflow["nodes"] if node is not host] + graph["nodes"]
    workflow["links"] = [link for link in workflow["links"] if link[3] != host["id"]] + links


def _values_of(host: dict) -> list:
    return host.get("widgets_values") or []
