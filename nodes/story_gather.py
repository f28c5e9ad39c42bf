"""Story Gather: pictures of several machines in the story's order, with their captions and numbers,
and what is missing.
"""

from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..machines.graph import Graph, behind
from ..machines.record import report
from ..machines.slate import without_slates
from ..story.selection import selection_text
from .base import StoryNode
from .common import story_schema


class StoryGather(StoryNode):
    """If frames are missing, the pictures that came still go to Save Image and the sheet. Then the
    run ends with an error that names the missing frames.

    A node that raises passes nothing on, so the error is raised by a second Story Gather, which
    this one adds to the graph while it runs (ComfyUI's node expansion). It has a link to every
    output node after this one and so runs after them; it gets the error's text in its node's inputs
    under TOLD, which is not an input of the schema, and is shown as this node.
    """

    TOLD = "told"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryGather",
            display_name="Story Gather",
            search_aliases=["distributed", "several machines", "multi GPU", "collector"],
            description=(
                "Reads and removes the slates of the pictures that a collector brings. Puts the"
                " pictures in the story's order and drops duplicates. If frames are missing, the"
                " run ends with an error that names them, after the pictures that came are saved."
            ),
            is_input_list=True,
            is_output_node=True,
            enable_expand=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
            inputs=[
                io.Image.Input(
                    "images", tooltip="From the collector, or from Story Slate on one machine."
                )
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip="The pictures that came, in the story's order, each frame once.",
                ),
                io.String.Output(
                    display_name="captions",
                    is_output_list=True,
                    tooltip="Their texts, one per picture: for Story Sheet.",
                ),
                io.Int.Output(
                    display_name="numbers",
                    is_output_list=True,
                    tooltip="Their numbers in the story, from 1: for Story Sheet's frame_numbers.",
                ),
                io.String.Output(
                    display_name="missing",
                    tooltip=(
                        "Frames that did not come, written for Story Batch's select, like 1-3,5."
                        " Empty: all came."
                    ),
                ),
            ],
        )

    @classmethod
    def run(cls, images: list[torch.Tensor] | None = None, **saved: Any) -> io.NodeOutput:
        if images is None:
            raise ValueError(
                cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"][cls.TOLD]
            )
        pictures, gathered = without_slates(images)
        return io.NodeOutput(
            pictures,
            [record.caption for record in gathered.records],
            [record.frame + 1 for record in gathered.records],
            selection_text(gathered.missing),
            expand=(
                cls._error_at_the_end(f"Story Gather - {report(gathered)}")
                if gathered.missing
                else None
            ),
        )

    @classmethod
    def _error_at_the_end(cls, told: str) -> Any:
        """What `expand` adds to the graph: a Story Gather after every later output node."""
        graph = GraphBuilder()
        outputs = _outputs_behind(cls.hidden.prompt, cls.hidden.unique_id)
        saved = {f"saved_{name}": [name, 0] for name in outputs}
        graph.node("StoryGather", **{cls.TOLD: told}, **saved)
        return graph.finalize()


def _outputs_behind(graph: Graph, name: str) -> list[str]:
    """The output nodes (Save Image, ..) that depend on a node's outputs, directly or not."""
    from nodes import NODE_CLASS_MAPPINGS  # ComfyUI's own table

    classes = {
        other: NODE_CLASS_MAPPINGS.get(graph[other]["class_type"]) for other in behind(graph, name)
    }
    return sorted(other for other, node in classes.items() if getattr(node, "OUTPUT_NODE", False))
