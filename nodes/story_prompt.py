"""Story Prompt: an identity and its frames, as text."""

from typing import Any

from comfy_api.latest import io

from ..batch.lists import in_turn
from ..log import logger, warn_rarely
from ..story.lists import Listing
from ..story.story import MAX_WINDOW, Story, read_story
from ..story.wildcards import unexpanded
from .base import StoryNode
from .common import StoryType, story_schema


class StoryPrompt(StoryNode):
    REMEDIES = {"window_length": "The published default is 10"}

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryPrompt",
            display_name="Story Prompt",
            search_aliases=[
                "consistent character",
                "storyboard",
                "comic",
                "1Prompt1Story",
                "StoryDiffusion",
                "One-Prompt-One-Story",
            ],
            description=(
                "Who the story is about and what happens in each picture. Connect it to SVR"
                " Reweight, IPCA Patch and Story Batch."
            ),
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "identity",
                    multiline=True,
                    dynamic_prompts=False,
                    default="A photo of a red fox with a green coat",
                    tooltip=(
                        "What stays the same in every picture: style, character, clothes. Several"
                        " characters, places or things: one line for each, with its name (see the"
                        " help)."
                    ),
                ),
                io.String.Input(
                    "frames",
                    multiline=True,
                    dynamic_prompts=False,
                    default=(
                        "wearing a scarf in a meadow\nplaying in the snow\nforaging berries in the"
                        " forest\nat the edge of a village with a river"
                    ),
                    tooltip=(
                        "What changes: one frame per line. A line that begins with # is switched"
                        " off. A pasted list (numbers, bullets, Scene 1:, JSON, a table, a"
                        " screenplay) is read as its frames (see the help). A frame may name the"
                        " characters that are in it."
                    ),
                ),
                io.Int.Input(
                    "window_length",
                    default=10,
                    min=1,
                    max=MAX_WINDOW,
                    tooltip=(
                        "At most how many frames share one prompt. The window shrinks until every"
                        " prompt fits CLIP's 75 tokens; T5 and language models have no limit. More"
                        " frames per prompt hold the identity better."
                    ),
                ),
            ],
            outputs=[
                StoryType.Output(
                    display_name="story",
                    is_output_list=True,
                    tooltip="The identity with its frames.",
                ),
                io.Int.Output(
                    display_name="frame_count",
                    is_output_list=True,
                    tooltip="How many pictures the story has.",
                ),
            ],
        )

    @classmethod
    def run(cls, frames: list[str], **lists: list[Any]) -> io.NodeOutput:
        """A list of texts is one story; several identities or windows give several stories."""
        text = "\n".join(frames)
        read = [read_story(frames=text, **inputs) for inputs in in_turn(lists)]
        for story, listing in read:
            say_how_it_was_read(story, listing)
        stories, counts = [story for story, _ in read], [len(story.frames) for story, _ in read]
        # The page's part shows it on the node. (ComfyUI's own progress text would stay there,
        # outdated, and be saved with the workflow.)
        return io.NodeOutput(stories, counts, ui={"story_read": [told_to_the_page(read[0][1])]})


def told_to_the_page(listing: Listing) -> dict[str, Any]:
    return {"kind": listing.kind, "frames": len(listing.told), "left_out": list(listing.left_out)}


def say_how_it_was_read(story: Story, listing: Listing) -> None:
    """One log line where `frames` is a list, and one if a wildcard is left unexpanded."""
    if listing.kind:
        left_out = f"left out: {listing.omitted}" if listing.left_out else "nothing left out"
        logger.info("Story Prompt: frames read as %s; %s", listing.summary, left_out)
    literal = unexpanded((*story.identity_phrases, *story.frames))
    if literal:
        warn_rarely(
            f"Story Prompt: {', '.join(literal)} is sent to the text encoder literally. For a"
            " wildcard, connect a node that expands it to identity or frames"
        )
