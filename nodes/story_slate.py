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
                "Writes into a few rows of pixels above each picture which frame it is, so that"
                " Story Gather behind a collector of several machines can put all in order and name"
                " what is missing."
            ),
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images", tooltip="The pictures, from VAE Decode: all batches together."
                ),
                ShareType.Input(
                    "share", tooltip="From Story Batch: which frames these pictures are."
                ),
                io.Combo.Input(
                    "master",
                    options=[MASTER_RENDERS, MASTER_DELEGATES],
                    default=MASTER_RENDERS,
                    tooltip=(
                        "Whether the machine that you queue on renders a share too. Workers are not"
                        " told, so it is said here: as in ComfyUI-Distributed's settings."
                    ),
                ),
                io.String.Input(
                    "earlier_frames",
                    default="",
                    dynamic_prompts=False,
                    tooltip=(
                        "Which frames the earlier pictures are, like 1-3,5. Empty: all frames that"
                        " Story Batch does not select now."
                    ),
                ),
                io.Image.Input(
                    "earlier",
                    optional=True,
                    tooltip=(
                        "Pictures of an earlier run, in the story's order, that come along: for a"
                        " whole sheet when only missing frames are rendered again."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip=(
                        "All as one batch, each with its slate: for the collector, then Story"
                        " Gather. Nothing may change them in between."
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
