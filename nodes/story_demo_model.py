"""Story Demo Model: a small model of our own inside the pack, to see a story without any
download.
"""

from comfy_api.latest import io

from ..demo.model import load_demo_model
from ..demo.vision import load_demo_vision
from .base import StoryNode
from .common import story_schema


class StoryDemoModel(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryDemoModel",
            display_name="Story Demo Model",
            search_aliases=["example model", "test model", "no download"],
            description=(
                "A tiny model that draws 32-pixel art of a fox, cat, rabbit, robot, bird, dragon or"
                " wizard. It comes with the pack, for trying the nodes at 256x256 with any sampler."
                " For real pictures use Load Checkpoint."
            ),
            inputs=[],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The diffusion model. IPCA Patch and LoRA-style patches work on it.",
                ),
                io.Clip.Output(
                    display_name="clip",
                    tooltip="Its text encoder. It knows only the words of its small world.",
                ),
                io.Vae.Output(
                    display_name="vae", tooltip="Shows each latent pixel as 8x8 image pixels."
                ),
                io.ClipVision.Output(
                    display_name="clip_vision",
                    tooltip=(
                        "A small CLIP vision of its own that fits its text encoder: for Story"
                        " Score."
                    ),
                ),
            ],
        )

    @classmethod
    def run(cls) -> io.NodeOutput:
        return io.NodeOutput(*load_demo_model(), load_demo_vision())
