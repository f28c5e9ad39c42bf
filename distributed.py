"""Under ComfyUI-Distributed every participant takes its own share of a story: the numbers are written before validation and caching.

The engine sends the same graph to the master and every worker and tells each who it is in hidden inputs of its collector. A
handler that ComfyUI calls with every prompt turns them into `part_index` and `parts` of each Story Batch whose `parts` is 0,
automatic. Without such a collector in the prompt it hands on the very object that it was given.
"""

import sys
from collections.abc import Mapping
from typing import Any

from .log import logger, warn_rarely
from .story.share import DEALT, MASTER_DELEGATES, automatic_part, is_on

COLLECTOR = "DistributedCollector"
NO_SLATE = (
    "a story is shared out over several machines without a Story Slate before Distributed Collector: a frame that gets lost on the way "
    "is not named. Put Story Slate before the collector and Story Gather behind it"
)


def register() -> None:
    """Add the handler to the server that runs; where ComfyUI's parts are used without one there is nothing to do."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None:
        server.add_on_prompt_handler(on_prompt)


def on_prompt(request: Any) -> Any:
    """A queued request with this machine's shares written into a copy of its prompt. Anything unexpected goes on as it came."""
    try:
        prompt = request["prompt"]
        if not any(node["class_type"] == COLLECTOR for node in prompt.values()):
            return request
        return {**request, "prompt": with_shares(prompt)}
    except Exception as error:  # a malformed prompt is for the server's own validation to refuse, in its own words
        logger.debug("shares were not written: %r", error)
        return request


def with_shares(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt with `part_index` and `parts` in every Story Batch before a collector that is at work."""
    out = dict(prompt)
    collectors = {name: node["inputs"] for name, node in prompt.items() if node["class_type"] == COLLECTOR}
    balanced = any(is_on(inputs.get("load_balance")) for inputs in collectors.values())  # the engine takes one for all
    for name, inputs in collectors.items():
        before = _before(prompt, name)
        slates = [prompt[node]["inputs"] for node in before if prompt[node]["class_type"] == "StorySlate"]
        master_renders = not any(slate.get("master") == MASTER_DELEGATES for slate in slates)
        dealt = automatic_part({**inputs, "load_balance": balanced}, master_renders)
        batches = [node for node in before if prompt[node]["class_type"] == "StoryBatch" and _is_automatic(prompt[node]["inputs"])]
        if dealt is None or not batches:
            continue
        if not slates:
            warn_rarely(NO_SLATE)
        numbers = {"part_index": dealt[0], "parts": dealt[1], DEALT: True}
        out.update({node: {**prompt[node], "inputs": {**prompt[node]["inputs"], **numbers}} for node in batches})
    return out


def _is_automatic(inputs: Mapping[str, Any]) -> bool:
    parts = inputs.get("parts")
    return isinstance(parts, int) and parts == 0


def _before(prompt: Mapping[str, Any], name: str) -> set[str]:
    """The nodes that a node's inputs come from, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for value in prompt[waiting.pop()]["inputs"].values():
            if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt and value[0] not in found:
                found.add(value[0])
                waiting.append(value[0])
    return found
