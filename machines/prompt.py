"""Each machine's share of a story, written into the graph that it is given to run.

ComfyUI-Distributed sends one graph to the master and to every worker, and identifies each of them
in hidden inputs of its collector. A handler that ComfyUI calls with every prompt, before it is
validated and cached, turns them into `part_index` and `parts` of each Story Batch whose `parts` is
0, automatic. A prompt without such a collector is passed on as the same object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..log import logger, warn_rarely
from ..notices import running_server
from .collector import COLLECTOR, MASTER_DELEGATES, automatic_part, is_on
from .graph import Graph, before

# Beside part_index and parts where they were written: not an input of the node, but part of its
# cache key.
DEALT = "dealt"
NO_SLATE = (
    "a story is split over several machines without a Story Slate before Distributed Collector: a"
    " lost frame is not reported. Put Story Slate before the collector and Story Gather after it"
)


def register() -> None:
    """Add the handler to the running server; without one, as in scripts, do nothing."""
    server = running_server()
    if server is not None:
        server.add_on_prompt_handler(on_prompt)


def on_prompt(request: Any) -> Any:
    """A queued request with this machine's shares in a copy of its prompt.

    Anything unexpected is passed on unchanged: the server's own validation refuses it in its own
    words.
    """
    try:
        prompt = request["prompt"]
        if not any(node["class_type"] == COLLECTOR for node in prompt.values()):
            return request
        return {**request, "prompt": with_shares(prompt)}
    except Exception as error:
        logger.debug("shares were not written: %r", error)
        return request


def with_shares(prompt: Graph) -> dict[str, Any]:
    """The prompt with `part_index` and `parts` in every Story Batch before an active collector."""
    out = dict(prompt)
    collectors = {name: prompt[name]["inputs"] for name in _of_class(prompt, prompt, COLLECTOR)}
    # The engine takes load_balance of one collector for all.
    balanced = any(is_on(inputs.get("load_balance")) for inputs in collectors.values())
    for name, inputs in collectors.items():
        feeding = before(prompt, name)
        slates = [prompt[slate]["inputs"] for slate in _of_class(prompt, feeding, "StorySlate")]
        batches = _of_class(prompt, feeding, "StoryBatch")
        batches = [batch for batch in batches if _is_automatic(prompt[batch])]
        master_renders = not any(slate.get("master") == MASTER_DELEGATES for slate in slates)
        dealt = automatic_part({**inputs, "load_balance": balanced}, master_renders)
        if dealt is None or not batches:
            continue
        if not slates:
            warn_rarely(NO_SLATE)
        share = {"part_index": dealt[0], "parts": dealt[1], DEALT: True}
        for batch in batches:
            out[batch] = {**prompt[batch], "inputs": {**prompt[batch]["inputs"], **share}}
    return out


def was_dealt(hidden: Any) -> bool:
    """Whether the handler wrote the share of the node whose hidden inputs (or None) these are.

    The handler does not know how many frames there are, so there may be more machines than frames.
    """
    prompt: Graph = getattr(hidden, "prompt", None) or {}
    return DEALT in prompt.get(getattr(hidden, "unique_id", ""), {}).get("inputs", {})


def _of_class(prompt: Graph, names: Iterable[str], kind: str) -> list[str]:
    return [name for name in names if prompt[name]["class_type"] == kind]


def _is_automatic(node: Mapping[str, Any]) -> bool:
    parts = node["inputs"].get("parts")
    return isinstance(parts, int) and parts == 0
