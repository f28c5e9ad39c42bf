"""Story Prompt: an identity and its frames, as text."""

from typing import Any

from comfy_api.latest import io

from ..batch.lists import in_turn
from ..story.story import MAX_WINDOW, parse_story
from .base import StoryNode
from .common import CATEGORY, StoryType


class StoryPrompt(StoryNode):
    REMEDIES = {"window_length": "The published default is 10"}

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StoryPrompt",
            display_name="Story Prompt",
            category=CATEGORY,
            description="Who the story is about and what happens in each picture. Connect it to SVR Reweight, IPCA Patch and Story Batch.",
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "identity",
                    multiline=True,
                    dynamic_prompts=False,
                    default="A photo of a red fox with a green coat",
                    tooltip="Who stays the same in every picture: style, character, clothes. "
                    "Several characters: a line for each, with its name; see the help.",
                ),
                io.String.Input(
                    "frames",
                    multiline=True,
                    dynamic_prompts=False,
                    default="wearing a scarf in a meadow\nplaying in the snow\nforaging berries in the forest\nat the edge of a village with a river",
                    tooltip="What changes: one picture a line. A line that begins with # is switched off. "
                    "Frames may name who of the characters is there; see the help.",
                ),
                io.Int.Input(
                    "window_length",
                    default=10,
                    min=1,
                    max=MAX_WINDOW,
                    tooltip="At most how many frames share one prompt. It shrinks by itself until every prompt fits CLIP's 75 tokens; "
                    "T5 and language models have no limit. More frames in a prompt hold the identity better.",
                ),
            ],
            outputs=[
                StoryType.Output(display_name="story", is_output_list=True, tooltip="The identity with its frames."),
                io.Int.Output(display_name="frame_count", is_output_list=True, tooltip="How many pictures the story has."),
            ],
        )

    @classmethod
    def run(cls, frames: list[str], **lists: list[Any]) -> io.NodeOutput:
        """A list of texts is one story; identities and window lengths are told one after the other."""
        text = "\n".join(frames)
        stories = [parse_story(frames=text, **inputs) for inputs in in_turn(lists)]
        return io.NodeOutput(stories, [len(story.frames) for story in stories])
