"""Story Reference: a picture of a character, for models that read pictures besides the text."""

from typing import Any

import torch
from comfy_api.latest import io

from ..batch.lists import in_turn
from ..references.encode import with_pictures
from .base import StoryNode
from .common import StoryType, story_schema

MAX_MEGAPIXELS = 16.0


class StoryReference(StoryNode):
    REMEDIES = {"megapixels": "1 is what ComfyUI's own edit nodes take; 0 leaves the size"}

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryReference",
            display_name="Story Reference",
            search_aliases=[
                "reference image",
                "consistent character",
                "character picture",
                "image edit",
            ],
            description=(
                "Adds a picture of a character. Each frame then sees the pictures of the characters"
                " in it, and no others. For models that read reference pictures: Qwen-Image-Edit,"
                " Flux Kontext, Flux.2, Klein. Mechanism tested, effect not yet judged by us."
            ),
            is_input_list=True,
            inputs=[
                StoryType.Input(
                    "story", tooltip="From Story Prompt, or from another Story Reference."
                ),
                io.Image.Input(
                    "image",
                    tooltip=(
                        "One picture of the character, or several. At least 64 pixels on each side,"
                        " without transparency."
                    ),
                ),
                io.Vae.Input(
                    "vae",
                    tooltip="VAE of the model that paints. It encodes the picture here, once.",
                ),
                io.String.Input(
                    "character",
                    default="",
                    dynamic_prompts=False,
                    tooltip=(
                        "Who is in the picture, like girl or @girl: only frames with her see it."
                        " Empty: every frame sees it."
                    ),
                ),
                io.Float.Input(
                    "megapixels",
                    default=1.0,
                    min=0.0,
                    max=MAX_MEGAPIXELS,
                    step=0.05,
                    round=0.001,
                    tooltip=(
                        "Size to which the picture is scaled. Less needs less memory and time. 0:"
                        " not scaled. Useful: 0.25 to 1."
                    ),
                ),
            ],
            outputs=[
                StoryType.Output(
                    display_name="story",
                    is_output_list=True,
                    tooltip=(
                        "The story with the picture: for SVR Reweight, IPCA Patch and Story Batch,"
                        " or for another Story Reference."
                    ),
                )
            ],
        )

    @classmethod
    def run(cls, image: list[torch.Tensor], **lists: list[Any]) -> io.NodeOutput:
        """Once per story, in turn. If there are as many pictures as stories, each story gets one;
        otherwise each story gets all of them.
        """
        runs = in_turn(lists)
        each = [[one] for one in image] if len(image) == len(runs) > 1 else [image] * len(runs)
        return io.NodeOutput(
            [with_pictures(images=images, **inputs) for images, inputs in zip(each, runs)]
        )
