"""Story Gather: pictures of several machines in the story's order, with their captions and numbers, and what is missing."""

from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder, is_link

from ..errors import InputError
from ..slate import pixels
from ..slate.record import Gathered, Record, gather, report
from ..story.selection import selection_text
from .base import StoryNode
from .common import CATEGORY, require_one_size

NO_SLATE = "Put Story Slate before the collector, and let nothing scale, crop, join or compress the pictures between it and Story Gather"


class StoryGather(StoryNode):
    """Where frames are missing, what came goes on to Save Image and the sheet, and the run ends with an error that names them.

    A node that raises hands nothing on, so the error is raised by a second Story Gather, which this one adds to the graph while
    it runs (ComfyUI's node expansion). It has a link to every output node behind this one and so runs after them; it gets the
    error's text in its node's inputs under TOLD, which is no input of the schema, and is shown as this node.
    """

    TOLD = "told"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StoryGather",
            display_name="Story Gather",
            category=CATEGORY,
            description="Reads and takes off the slates of the pictures that a collector brings: puts them in the story's order, drops "
            "doubles, and ends the run with an error that names missing frames once what came is saved.",
            is_input_list=True,
            is_output_node=True,
            enable_expand=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
            inputs=[io.Image.Input("images", tooltip="From the collector, or from Story Slate on one machine.")],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The pictures that came, in the story's order, each frame once."),
                io.String.Output(display_name="captions", is_output_list=True, tooltip="Their texts, one a picture: for Story Sheet."),
                io.Int.Output(
                    display_name="numbers",
                    is_output_list=True,
                    tooltip="Their numbers in the story, from 1: for Story Sheet's frame_numbers.",
                ),
                io.String.Output(
                    display_name="missing",
                    tooltip="Frames that did not come, as Story Batch's select takes them, like 1-3,5. Empty: all came.",
                ),
            ],
        )

    @classmethod
    def run(cls, images: list | None = None, **saved: Any) -> io.NodeOutput:
        if images is None:
            raise ValueError(cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"][cls.TOLD])
        pictures, gathered = _gathered(images)
        return io.NodeOutput(
            pictures,
            [record.caption for record in gathered.records],
            [record.frame + 1 for record in gathered.records],
            selection_text(gathered.missing),
            expand=cls._error_at_the_end(f"Story Gather - {report(gathered)}") if gathered.missing else None,
        )

    @classmethod
    def _error_at_the_end(cls, told: str) -> dict:
        graph = GraphBuilder()
        saved = {f"saved_{name}": [name, 0] for name in _outputs_behind(cls.hidden.prompt, cls.hidden.unique_id)}
        graph.node("StoryGather", **{cls.TOLD: told}, **saved)
        return graph.finalize()


def _gathered(images: list) -> tuple[torch.Tensor, Gathered]:
    """The pictures without their slates, float [N, H, W, C], in order; and what their slates say."""
    require_one_size("images", images)
    if not sum(batch.shape[0] for batch in images):
        raise InputError("images", "no picture came", "Look at the logs of the machines that render, and run again")
    pictures = images[0] if len(images) == 1 else torch.cat(images)
    slates = [_slate(picture, place) for place, picture in enumerate(pictures, 1)]
    gathered = gather([record for record, _ in slates])
    return pictures[gathered.places, slates[0][1] :], gathered


def _slate(picture: torch.Tensor, place: int) -> tuple[Record, int]:
    found = pixels.read(picture)
    if found is None:
        raise InputError("images", f"picture {place} has no slate that can be read", NO_SLATE)
    message, rows = found
    record = Record.decode(message)
    if (rows + record.height, record.width) != tuple(picture.shape[:2]):
        raise InputError("images", f"picture {place} was cropped or joined with another one", NO_SLATE)
    return record, rows


def _outputs_behind(prompt: dict, name: str) -> list[str]:
    """The output nodes (Save Image, ..) that hang on a node's outputs, directly or not."""
    from nodes import NODE_CLASS_MAPPINGS  # ComfyUI's own table

    behind, waiting = {name}, [name]
    while waiting:
        source = waiting.pop()
        for other, node in prompt.items():
            if other not in behind and any(is_link(value) and value[0] == source for value in node.get("inputs", {}).values()):
                behind.add(other)
                waiting.append(other)
    outputs = behind - {name}
    return sorted(other for other in outputs if getattr(NODE_CLASS_MAPPINGS.get(prompt[other]["class_type"]), "OUTPUT_NODE", False))
