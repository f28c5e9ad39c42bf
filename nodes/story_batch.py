"""Story Batch: a story's conditioning and latents, in batches that a stock KSampler takes one after
the other.
"""

from typing import Any

from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from ..batch.checks import (
    require_channels_of,
    require_frames_of,
    require_latent_of,
    require_negative_of,
)
from ..batch.cut import Conditioning, Cut, Latent
from ..batch.empty_latent import MAX_SIZE, PIXELS, empty_latent
from ..batch.frames import alike, batches_of, file_name, has_adapter_tokens
from ..batch.lists import in_turn, with_latents
from ..batch.references import references_by_frame, with_references
from ..log import logger
from ..machines.prompt import was_dealt
from ..machines.share import Share, share_of
from ..references.models import require_reader
from ..story.selection import parse_selection
from ..story.story import Story
from ..story.takes import noise_numbers, parse_retake
from .base import StoryNode
from .common import ShareType, StoryType, story_schema

NOISE = ["shared", "per frame"]
FRAMES_PER_BATCH = (
    "Frames sampled at once. 1: every list has one entry per picture, so that later nodes keep each"
    " picture with its frame. More, or 0 for all: faster on some graphics cards, with more memory,"
    " but the lists positive and latent then have fewer entries than captions. IPAdapter with one"
    " picture per frame needs 0."
)
FILE_NAMES = (
    "For Save Image's filename_prefix: frame-006 for frame 6, with any select; frames-001-004 for a"
    " batch of four."
)
MAX_FRAMES = 4096
SEEDS = (
    "A list of seeds: every frame is rendered with each of them. Connect this node's seed output to"
    " KSampler's seed."
)
MAX_SEED = 0xFFFFFFFFFFFFFFFF
# What an output passes on if nothing is connected to its input: it stops a consumer with this text
# before it samples.
NO_SEED = ExecutionBlocker(
    "Story Batch - seeds: nothing is connected to this input, so the output seed has nothing to"
    " give. Connect a list of seeds to Story Batch, or set the seed in KSampler."
)
NO_NEGATIVE = ExecutionBlocker(
    "Story Batch - negative: nothing is connected to this input, so this output has nothing to"
    " give. Connect the negative prompt to Story Batch, or connect it to the sampler directly."
)


class StoryBatch(StoryNode):
    REMEDIES = {
        "frames_per_batch": "Set it to the frames your memory holds, or 0 for all at once",
        "part_index": "Set parts to the number of machines and count them from 0",
        "parts": "Set it to the number of machines, or to 0 for automatic",
    }

    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryBatch",
            display_name="Story Batch",
            search_aliases=["storyboard", "frames", "consistent character", "batch"],
            advanced=["part_index", "parts", "retake"],
            description=(
                "Cuts the story into batches. KSampler, VAE Decode and Save Image after it run once"
                " per batch."
            ),
            is_input_list=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            inputs=[
                StoryType.Input("story", tooltip="From Story Prompt."),
                io.Conditioning.Input("frames", tooltip="From SVR Reweight, one row per frame."),
                io.Int.Input(
                    "width",
                    default=1024,
                    min=PIXELS,
                    max=MAX_SIZE,
                    step=PIXELS,
                    tooltip="Picture width in pixels. A connected latent brings its own.",
                ),
                io.Int.Input(
                    "height",
                    default=1024,
                    min=PIXELS,
                    max=MAX_SIZE,
                    step=PIXELS,
                    tooltip="Picture height in pixels. A connected latent brings its own.",
                ),
                io.Combo.Input(
                    "noise",
                    options=NOISE,
                    default="shared",
                    tooltip=(
                        "shared: every frame starts from the same noise, which holds layout and"
                        " character. per frame: each from its own."
                    ),
                ),
                io.String.Input(
                    "select",
                    default="",
                    dynamic_prompts=False,
                    tooltip=(
                        "Frames to render, like 1-3,5. Empty: all. A frame is the same rendered"
                        " separately as in the whole story."
                    ),
                ),
                io.Int.Input(
                    "frames_per_batch", default=1, min=0, max=MAX_FRAMES, tooltip=FRAMES_PER_BATCH
                ),
                io.Int.Input(
                    "part_index",
                    default=0,
                    min=0,
                    max=MAX_FRAMES - 1,
                    tooltip=(
                        "Which share of the frames this machine renders, counted from 0, if parts"
                        " is set by hand."
                    ),
                ),
                io.Int.Input(
                    "parts",
                    default=0,
                    min=0,
                    max=MAX_FRAMES,
                    tooltip=(
                        "How many machines share the story. 0: automatic; all frames here, or this"
                        " machine's share under ComfyUI-Distributed. 1: this machine renders all."
                    ),
                ),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="For image to image: one latent for all frames, or one per frame.",
                ),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip=(
                        "Connect only if the negative carries per-frame data, e.g. after Apply"
                        " ControlNet. It is then cut along with the frames."
                    ),
                ),
                io.String.Input(
                    "retake",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip=(
                        "Frames to render from other noise of the same seed, like 3 (take 2 of"
                        " frame 3) or 3:4, 5. The other frames stay the same."
                    ),
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip=(
                        "Makes the latents in this model's own shape. Required for Flux.2; optional"
                        " otherwise."
                    ),
                ),
                io.Int.Input(
                    "seeds", optional=True, force_input=True, min=0, max=MAX_SEED, tooltip=SEEDS
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="positive",
                    is_output_list=True,
                    tooltip="For KSampler's positive: one entry per batch.",
                ),
                io.Latent.Output(
                    display_name="latent",
                    is_output_list=True,
                    tooltip="For KSampler's latent_image: one entry per batch.",
                ),
                io.String.Output(
                    display_name="captions",
                    is_output_list=True,
                    tooltip="The frames' texts, one per rendered picture.",
                ),
                io.Conditioning.Output(
                    display_name="negative",
                    is_output_list=True,
                    tooltip=(
                        "For KSampler's negative, if a negative is connected here: one entry per"
                        " batch."
                    ),
                ),
                ShareType.Output(
                    display_name="share",
                    is_output_list=True,
                    tooltip="For Story Slate: which frames of the story are rendered here.",
                ),
                io.String.Output(
                    display_name="file_names", is_output_list=True, tooltip=FILE_NAMES
                ),
                io.Int.Output(
                    display_name="seed",
                    is_output_list=True,
                    tooltip="For KSampler's seed, where seeds is connected: one entry per batch.",
                ),
            ],
        )

    @classmethod
    def run(
        cls, latent: list[Latent] | None = None, seeds: list[int] | None = None, **lists: list[Any]
    ) -> io.NodeOutput:
        """Once per story, in turn, and all of it once per seed.

        A list of latents that belong together is one batch for a story.
        """
        given = [one for one in latent or [] if one is not None]
        each_seed = [seed for seed in seeds or [] if seed is not None] or [NO_SEED]
        runs = with_latents(in_turn(lists), given)
        outputs = [cls.batches(**inputs) for inputs in runs]
        positives, latents, captions, negatives, shares, names, rendered = zip(*outputs)
        again = len(each_seed)
        batches: list[Any] = sum(positives, [])
        return io.NodeOutput(
            batches * again,
            *(sum(lists, []) * again for lists in (latents, captions, negatives)),
            list(shares),
            sum(names, []) * again,
            [seed for seed in each_seed for _ in batches],
            # The page's strip of frames shows which frame each picture is.
            ui={"story_frames": sum(rendered, []) * again},
        )

    @classmethod
    def batches(
        cls,
        story: Story,
        frames: Conditioning,
        width: int,
        height: int,
        noise: str,
        select: str,
        frames_per_batch: int,
        part_index: int,
        parts: int,
        latent: Latent | None = None,
        negative: Conditioning | None = None,
        retake: str = "",
        model: Any = None,
    ) -> tuple[list[Any], list[Any], list[str], list[Any], Share, list[str], list[int]]:
        """The outputs for one story, and the frames that are rendered, from 0."""
        count = len(story.frames)
        require_frames_of(frames, count, story.told)
        references = references_by_frame(story, frames)
        if model is not None:
            require_reader(model, story.references)
        if latent is not None:
            require_latent_of(latent, count, story.told)
            if model is not None:
                require_channels_of(latent, model)
        if negative is not None:
            require_negative_of(negative, count, story.told)
        asked = parse_selection(select, count)
        rendered = share_of(asked, part_index, parts, spare_machines=was_dealt(cls.hidden))
        takes = parse_retake(retake, count)
        source = empty_latent(width, height, model) if latent is None else latent
        batches = batches_of(
            rendered, frames_per_batch, alike(frames, count, story.told, references)
        )
        if frames_per_batch != 1 and has_adapter_tokens(frames):
            logger.warning(
                "Story Batch: this model reads one frame at a time, whatever frames_per_batch is"
            )
        noises = [noise_numbers(batch, takes, count, noise == "shared") for batch in batches]
        cuts = [Cut(batch, count, story.told) for batch in batches]
        return (
            [with_references(cut.conditioning(frames), references[cut.batch[0]]) for cut in cuts],
            [cut.latent(source, numbers) for cut, numbers in zip(cuts, noises)],
            [story.frames[frame] for frame in rendered],
            [
                (
                    NO_NEGATIVE
                    if negative is None
                    else with_references(cut.conditioning(negative), references[cut.batch[0]])
                )
                for cut in cuts
            ],
            Share(story.frames, tuple(asked), tuple(rendered), part_index, max(parts, 1)),
            [file_name(batch, count) for batch in batches],
            rendered,
        )
