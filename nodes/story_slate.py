"""Story Slate: writes into every picture which frame it is, before a collector that mixes the
pictures of several machines.
"""

import torch
from comfy_api.latest import io

from ..machines.collector import MASTER_DELEGATES, MASTER_RENDERS
from ..machines.share import Share
from ..machines.slate import with_slates
from .base import StoryNode
from .common import ShareType, story_schema


class StorySlate(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StorySlate",
            display_name="Story Slate",
            search_aliases=["distributed", "several machines", "multi GPU"],
            description=(
                "Writes each picture's frame number into a few rows of pixels above it. Story"
                " Gather, after a collector of several machines, can then sort the pictures and"
                " report missing frames."
            ),
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images", tooltip="The pictures, from VAE Decode: all batches together."
                ),
                ShareType.Input(
                    "share", tooltip="From Story Batch: which frames these pictures show."
                ),
                io.Combo.Input(
                    "master",
                    options=[MASTER_RENDERS, MASTER_DELEGATES],
                    default=MASTER_RENDERS,
                    tooltip=(
                        "Whether the machine on which you queue renders a share too. Set it as in"
                        " ComfyUI-Distributed's settings: the workers do not know it."
                    ),
                ),
                io.String.Input(
                    "earlier_frames",
                    default="",
                    dynamic_prompts=False,
                    tooltip=(
                        "Which frames the earlier pictures show, like 1-3,5. Empty: all frames that"
                        " Story Batch does not select now."
                    ),
                ),
                io.Image.Input(
                    "earlier",
                    optional=True,
                    tooltip=(
                        "Pictures of an earlier run, in the story's order, to pass on with these."
                        " Gives a complete sheet when only missing frames are rendered again."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip=(
                        "All as one batch, each with its slate: for the collector, then Story"
                        " Gather. No node in between may change them."
                    ),
                )
            ],
        )

    @classmethod
    def run(
        cls,
        images: list[torch.Tensor],
        share: list[Share],
        master: list[str],
        earlier_frames: list[str],
        earlier: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        slated = with_slates(images, share[0], master[0], earlier or [], earlier_frames[0])
        return io.NodeOutput(slated)
