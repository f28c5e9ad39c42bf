"""IPCA Patch: lets the picture attend more to the identity."""

import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP
from comfy_api.latest import io

from ..errors import InputError
from ..ipca.install import install, is_installed, uninstall
from ..ipca.settings import LAST_STEP, Settings
from ..ipca.transformer.side import TransformerSide, chosen_on, family_of_model
from ..ipca.unet.blocks import chosen_sites
from ..ipca.unet.memory import Memories, Memory, remember
from ..ipca.unet.side import UNetSide, context_width, unet_of
from ..references.models import require_reader
from ..story.story import Story
from ..svr.encode import encode, prompt_layouts
from .base import StoryNode
from .common import StoryType, story_schema

MAX_STRENGTH = 1000.0


class IPCAPatch(StoryNode):
    REMEDIES = {
        "dropout": "0 is off; 0.01 to 0.1 is useful",
        "strength": "1 is the paper's, 0 is off",
    }

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="IPCAPatch",
            display_name="IPCA Patch",
            search_aliases=[
                "IPCA",
                "identity-preserving cross-attention",
                "consistent character",
                "1Prompt1Story",
            ],
            advanced=["end_at_step", "protect_identity", "dropout_seed"],
            hidden=[io.Hidden.unique_id],
            description=(
                "Makes every picture attend more to the story's identity. Works with LoRA,"
                " ControlNet, IPAdapter, NAG and FreeU before or after it; a second IPCA Patch"
                " replaces the first."
            ),
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "An SDXL, SD1.x or SD2.x model, or Qwen-Image, Qwen-Image 2.1, Z-Image,"
                        " Lumina 2, Flux, Flux.2, Klein, Chroma, SD3, HiDream-I1, Krea 2, Ideogram"
                        " 4, Ovis-Image, Anima, Mage-Flow or NewBie. Other nodes may have patched"
                        " it."
                    ),
                ),
                io.Clip.Input("clip", tooltip="The same CLIP that SVR Reweight uses."),
                StoryType.Input("story", tooltip="From Story Prompt."),
                io.String.Input(
                    "blocks",
                    default="all",
                    dynamic_prompts=False,
                    tooltip=(
                        "Which blocks of the model: all, coarse (mid and the deepest blocks; a"
                        " transformer's first half), fine (the others), or names like 'down2, mid,"
                        " up0', in a transformer 'double0-9' or 'block3'. Deep blocks carry shape,"
                        " shallow ones detail."
                    ),
                ),
                io.Int.Input(
                    "start_at_step",
                    default=0,
                    min=0,
                    max=LAST_STEP,
                    tooltip=(
                        "IPCA starts at this step of the sampler's own run. 10 to 30 % of the steps"
                        " leaves the layout freer."
                    ),
                ),
                io.Int.Input(
                    "end_at_step",
                    default=LAST_STEP,
                    min=0,
                    max=LAST_STEP,
                    tooltip="IPCA stops before this step.",
                ),
                io.Float.Input(
                    "dropout",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    round=0.001,
                    tooltip=(
                        "Share of the identity hidden from each position of the picture, at random."
                        " 0.01 to 0.1 loosens poses."
                    ),
                ),
                io.Boolean.Input(
                    "protect_identity",
                    default=True,
                    tooltip=(
                        "On: only the identity's own words are remembered. Off: also the padding"
                        " after them (UNets only)."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=MAX_STRENGTH,
                    step=0.05,
                    round=0.001,
                    tooltip=(
                        "Weight of the identity against the frame's own prompt. 1 is the paper's; 0"
                        " switches IPCA off. In models that normalise their text, the other frames'"
                        " words stay turned down at 0 too."
                    ),
                ),
                io.Int.Input(
                    "dropout_seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    tooltip=(
                        "Which positions the dropout hides. It only matters with dropout above 0."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The same model, attending to the identity: for any sampler.",
                )
            ],
        )

    @classmethod
    def run(
        cls,
        model: ModelPatcher,
        clip: CLIP,
        story: Story,
        blocks: str,
        start_at_step: int,
        end_at_step: int,
        dropout: float,
        protect_identity: bool,
        strength: float,
        dropout_seed: int,
    ) -> io.NodeOutput:
        if start_at_step >= end_at_step:
            raise InputError(
                "start_at_step",
                f"{start_at_step} is not below end_at_step {end_at_step}, so no step is left",
                "Lower it, or raise end_at_step; to switch IPCA off set strength to 0",
            )
        settings = Settings(start_at_step, end_at_step, dropout, strength, dropout_seed)
        side = _side(model, clip, story, blocks, protect_identity, settings)
        if side is None:
            return io.NodeOutput(uninstall(model) if is_installed(model) else model)
        return io.NodeOutput(install(model, side, getattr(cls.hidden, "unique_id", None)))


def _side(
    model: ModelPatcher, clip: CLIP, story: Story, blocks: str, protect: bool, settings: Settings
) -> UNetSide | TransformerSide | None:
    """IPCA for this kind of model; None where it has nothing to do. InputError where the choices do
    not fit the model.
    """
    require_reader(model, story.references)
    unet = unet_of(model)
    if unet is not None:
        sites = chosen_sites(unet, blocks)
        if settings.strength == 0:
            return None
        return UNetSide(_memories(clip, story, protect, context_width(unet)), sites, settings)
    family = family_of_model(model)
    chosen = chosen_on(model, family, blocks)
    if not protect:
        raise InputError(
            "protect_identity",
            f"off does not apply to {family.name}: no separate identity prompt is encoded, so"
            " there is no padding to remember",
            "Switch it on",
        )
    if settings.strength == 0 and family.reads_length:
        return None
    return TransformerSide(family, story.identity_phrases, chosen, settings)


def _memories(clip: CLIP, story: Story, protect: bool, model_width: int) -> Memories:
    """Encode the identity prompt with its whole cast separately, once per range of a scheduled
    CLIP; a memory for every cast.
    """
    tokens, layouts = prompt_layouts(clip, story.identity_phrases)
    begins = {row for layout in layouts.values() for row in layout.begins}
    phrases = [
        {row for layout in layouts.values() for row in layout.phrases[place]}
        for place in range(len(story.identity_phrases))
    ]
    identity = sorted(begins.union(*phrases))
    entries = encode(clip, tokens)
    width = entries[0][0].shape[-1]
    if width != model_width:
        raise InputError(
            "clip",
            f"its embedding is {width} wide but this model's cross-attention reads {model_width}",
            "Use the CLIP of the same checkpoint as the model",
        )

    def of(embeds: torch.Tensor, present: tuple[int, ...]) -> Memory:
        absent = set(identity).difference(begins, *(phrases[place] for place in present))
        return remember(embeds, identity, protect, absent)

    everyone = tuple(range(len(phrases)))
    by_cast = tuple(
        {present: of(cond[0], present) for present in dict.fromkeys((everyone, *story.present))}
        for cond, _ in entries
    )
    return Memories(story.identity_phrases, by_cast[0][everyone], by_cast)
