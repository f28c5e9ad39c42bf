"""SVR Reweight: a story to CONDITIONING, one row per frame: that frame's words turned up, the
others down.
"""

from typing import Any

from comfy.sd import CLIP
from comfy_api.latest import io

from ..log import logger
from ..machines.graph import behind
from ..notices import show_on_node
from ..story.rows import ROWS_KEY
from ..story.story import Story
from ..svr.clip import Reader
from ..svr.entries import reweighting_for
from ..svr.reweight import PUBLISHED_ALPHA, Weights
from ..svr.story import encode_story
from ..svr.windows import token_limit
from .base import StoryNode
from .common import StoryType, story_schema

MODES = ["svr", "svr-eot", "original"]
POOLED = ["keep", "zero"]
NOTHING_TURNED_DOWN = (
    "SVR Reweight: this CLIP's model normalises every token, so only IPCA Patch, in its attention,"
    " can turn the other frames' words down. None is connected to the same sampler: nothing is"
    " turned down. Add IPCA Patch to the model; its strength may be 0."
)
ON_NODE = "Nothing is turned down. The log shows why."  # a node shows two short lines
MAX_ALPHA = 1.0
MAX_BETA = 10.0


class SVRReweight(StoryNode):
    REMEDIES = {
        "enhance_alpha": "0.001 to 0.02 is useful; the published code's -0.01 is 0.01 here",
        "enhance_beta": "1 to 2 is useful",
        "weaken_alpha": "0.01 to 0.5 is useful",
        "weaken_beta": "0.05 to 1 is useful",
    }

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="SVRReweight",
            display_name="SVR Reweight",
            search_aliases=[
                "SVR",
                "singular value reweighting",
                "prompt weights",
                "1Prompt1Story",
                "consistent character",
            ],
            advanced=["enhance_alpha", "weaken_alpha", "pooled"],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            description=(
                "Encodes the whole story in one prompt. Then, for each frame, it turns up the"
                " frame's own words and turns down the other frames' words."
            ),
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip=(
                        "CLIP of an SDXL, SD1.x or SD2.x checkpoint, or of Qwen-Image, Qwen-Image"
                        " 2.1, Z-Image, Flux, Flux.2, Klein, Chroma, SD3, HiDream-I1, Lumina 2,"
                        " Krea 2, Ideogram 4, Ovis-Image, Anima, Mage-Flow or NewBie. LoRAs and"
                        " CLIP Set Last Layer work."
                    ),
                ),
                StoryType.Input("story", tooltip="From Story Prompt."),
                io.Combo.Input(
                    "mode",
                    options=MODES,
                    default="svr",
                    tooltip=(
                        "svr: the method. svr-eot: reweights only the words and fades the"
                        " end-of-text tokens. original: no reweighting."
                    ),
                ),
                io.Float.Input(
                    "enhance_alpha",
                    default=PUBLISHED_ALPHA,
                    min=0.0,
                    max=MAX_ALPHA,
                    step=0.001,
                    round=0.0001,
                    tooltip=(
                        "How steeply this frame's words are turned up. Useful: 0.001 to 0.02. No"
                        " effect on models that normalise their text (Qwen-Image, Z-Image; see the"
                        " help)."
                    ),
                ),
                io.Float.Input(
                    "enhance_beta",
                    default=1.0,
                    min=0.0,
                    max=MAX_BETA,
                    step=0.05,
                    round=0.001,
                    tooltip=(
                        "Overall factor on this frame's words. Useful: 1 to 2. In models that"
                        " normalise their text, IPCA Patch applies it."
                    ),
                ),
                io.Float.Input(
                    "weaken_alpha",
                    default=PUBLISHED_ALPHA,
                    min=0.0,
                    max=MAX_ALPHA,
                    step=0.01,
                    round=0.0001,
                    tooltip=(
                        "How steeply the other frames' words are turned down. Useful: 0.01 to 0.5."
                        " No effect on models that normalise their text (Qwen-Image, Z-Image; see"
                        " the help)."
                    ),
                ),
                io.Float.Input(
                    "weaken_beta",
                    default=0.05,
                    min=0.0,
                    max=MAX_BETA,
                    step=0.01,
                    round=0.001,
                    tooltip=(
                        "Overall factor on the other frames' words. Useful: 0.05 to 1; raise it"
                        " when frames lose the identity. In models that normalise their text, IPCA"
                        " Patch applies it."
                    ),
                ),
                io.Combo.Input(
                    "pooled",
                    options=POOLED,
                    default="keep",
                    tooltip=(
                        "The prompt's pooled vector, which SDXL, SD3 and Flux read. keep: as it is."
                        " zero: removes every frame's words from it."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="frames",
                    tooltip=(
                        "One row per frame: for Story Batch. Apply ControlNet may come in between;"
                        " Apply Style Model and Conditioning (Concat) go after Story Batch."
                    ),
                )
            ],
        )

    @classmethod
    def run(
        cls,
        clip: CLIP,
        story: Story,
        mode: str,
        enhance_alpha: float,
        enhance_beta: float,
        weaken_alpha: float,
        weaken_beta: float,
        pooled: str,
    ) -> io.NodeOutput:
        reweighting = reweighting_for(
            mode, Weights(enhance_alpha, enhance_beta), Weights(-weaken_alpha, weaken_beta)
        )
        reader = Reader(clip)
        frames = encode_story(reader, story, reweighting, zero_pooled=pooled == "zero")
        if any(row.factors for row in frames[0][1][ROWS_KEY]) and not _meets_ipca_patch(cls.hidden):
            logger.warning(NOTHING_TURNED_DOWN)
            show_on_node(cls.hidden.unique_id, ON_NODE)
        # The page's token bar shows it.
        return io.NodeOutput(frames, ui={"story_limit": [token_limit(reader)]})


def _meets_ipca_patch(hidden: Any) -> bool:
    """Whether SVR Reweight and an IPCA Patch lead to the same node of the queued graph. True where
    there is no graph.
    """
    graph, own = getattr(hidden, "prompt", None), getattr(hidden, "unique_id", None)
    if not graph or own is None or own not in graph:
        return True
    reached = behind(graph, own)
    patches = [name for name, node in graph.items() if node["class_type"] == "IPCAPatch"]
    return any(reached & behind(graph, patch) for patch in patches)
