"""Story Batch: a story's conditioning and latents, in batches that a stock KSampler takes one after the other."""

import torch
from comfy_api.latest import io

from ..errors import InputError, reported_by
from ..story.selection import batches_of, parse_selection, share_of
from ..story.story import Story
from ..story.takes import noise_numbers, parse_retake
from .common import CATEGORY, StoryType, require_conditioning, require_latent, require_story
from .slicing import slice_conditioning, slice_latent

NOISE = ["shared", "per frame"]
MAX_SIZE = 16384
LATENT_PIXELS = 8
MAX_FRAMES = 4096


class StoryBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="StoryBatch",
            display_name="Story Batch",
            category=CATEGORY,
            description="Cuts the story into batches. KSampler, VAE Decode and Save Image behind it run once a batch by themselves.",
            inputs=[
                StoryType.Input("story", tooltip="From Story Prompt."),
                io.Conditioning.Input("frames", tooltip="From SVR Reweight, one row a frame."),
                io.Int.Input(
                    "width",
                    default=1024,
                    min=LATENT_PIXELS,
                    max=MAX_SIZE,
                    step=LATENT_PIXELS,
                    tooltip="Picture width in pixels. A connected latent brings its own.",
                ),
                io.Int.Input(
                    "height",
                    default=1024,
                    min=LATENT_PIXELS,
                    max=MAX_SIZE,
                    step=LATENT_PIXELS,
                    tooltip="Picture height in pixels. A connected latent brings its own.",
                ),
                io.Combo.Input(
                    "noise",
                    options=NOISE,
                    default="shared",
                    tooltip="shared: every frame starts from the same noise, which holds layout and character. per frame: each from its own.",
                ),
                io.String.Input(
                    "select",
                    default="",
                    dynamic_prompts=False,
                    tooltip="Frames to render, like 1-3,5. Empty: all. A frame comes out the same alone as in the whole story.",
                ),
                io.Int.Input(
                    "frames_per_batch",
                    default=4,
                    min=0,
                    max=MAX_FRAMES,
                    tooltip="Frames sampled at once: as many as your memory holds. 0: all. It changes speed, not pictures.",
                ),
                io.Int.Input(
                    "part_index", default=0, min=0, max=MAX_FRAMES - 1, tooltip="Which share of the frames this machine renders, from 0."
                ),
                io.Int.Input(
                    "parts", default=1, min=1, max=MAX_FRAMES, tooltip="How many machines share the story. 1: this one renders all."
                ),
                io.Latent.Input("latent", optional=True, tooltip="For image to image: one latent for all frames, or one a frame."),
                io.String.Input(
                    "retake",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip="Frames from another noise of the same seed, like 3 (take 2 of frame 3) or 3:4, 5. The others stay as they are.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", is_output_list=True, tooltip="For KSampler's positive: one entry a batch."),
                io.Latent.Output(display_name="latent", is_output_list=True, tooltip="For KSampler's latent_image: one entry a batch."),
                io.String.Output(display_name="captions", is_output_list=True, tooltip="The frames' texts, one a rendered picture."),
            ],
        )

    @classmethod
    def execute(
        cls,
        story: Story,
        frames: list,
        width: int,
        height: int,
        noise: str,
        select: str,
        frames_per_batch: int,
        part_index: int,
        parts: int,
        latent: dict | None = None,
        retake: str = "",
    ) -> io.NodeOutput:
        with reported_by("Story Batch"):
            require_story(story)
            require_conditioning("frames", frames)
            if latent is not None:
                require_latent("latent", latent)
            count = len(story.frames)
            _check_rows(frames, count)
            if noise not in NOISE:
                raise InputError("noise", f"'{noise}' is unknown", f"Choose one of {', '.join(NOISE)}")
            rendered = share_of(parse_selection(select, count), part_index, parts)
            takes = parse_retake(retake, count)
            source = _empty_latent(width, height) if latent is None else latent
            positives, latents = [], []
            for batch in batches_of(rendered, frames_per_batch):
                positives.append(slice_conditioning(frames, batch, count))
                latents.append(slice_latent(source, batch, count, noise_numbers(batch, takes, count, noise == "shared")))
            # The page's strip of frames learns from `ui` which picture is whose.
            return io.NodeOutput(positives, latents, [story.frames[frame] for frame in rendered], ui={"story_frames": rendered})


def _check_rows(frames: list, count: int) -> None:
    for cond, _ in frames:
        if cond.shape[0] != count:
            raise InputError(
                "frames",
                f"the conditioning has {cond.shape[0]} rows but the story has {count} frames",
                "Connect the same Story Prompt to SVR Reweight and Story Batch, and SVR Reweight's output here",
            )


def _empty_latent(width: int, height: int) -> dict:
    for name, value in (("width", width), ("height", height)):
        if not LATENT_PIXELS <= value <= MAX_SIZE or value % LATENT_PIXELS:
            raise InputError(
                name,
                f"{value} is not a multiple of {LATENT_PIXELS} from {LATENT_PIXELS} to {MAX_SIZE}",
                f"Use {max(LATENT_PIXELS, min(MAX_SIZE, round(value / LATENT_PIXELS) * LATENT_PIXELS))}",
            )
    return {"samples": torch.zeros(1, 4, height // LATENT_PIXELS, width // LATENT_PIXELS)}
