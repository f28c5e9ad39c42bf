"""What is connected in a graph as ComfyUI queues it: {name: {"class_type", "inputs"}}."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Graph = Mapping[str, Any]


def before(graph: Graph, name: str) -> set[str]:
    """The nodes that a node's inputs come from, directly or not."""
    return _reached(name, lambda node: _sources(graph, node))


def behind(graph: Graph, name: str) -> set[str]:
    """The nodes that take a node's outputs, directly or not."""
    return _reached(name, lambda node: (other for other in graph if node in _sources(graph, other)))


def _sources(graph: Graph, name: str) -> Iterator[str]:
    """The nodes that a node's inputs are linked to. Anything that is not a link of this graph is a
    value.
    """
    for value in graph[name].get("inputs", {}).values():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            if value[0] in graph:
                yield value[0]


def _reached(name: str, neighbours: Callable[[str], Iterator[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = {*neighbours(waiting.pop())} - found - {name}
        found |= new
        waiting += new
    return found
