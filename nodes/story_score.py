"""Story Score: how alike the pictures of a story are, how well they fit their captions, and which one falls out."""

import numpy as np
import torch
from comfy.clip_vision import ClipVisionModel
from comfy.sd import CLIP
from comfy_api.latest import io
from PIL import Image

from ..errors import InputError
from ..score.chart import CELL, draw_chart
from ..score.embed import Change, embed_captions, embed_pictures
from ..score.likeness import cosines, on_noise, seeded_noise
from ..score.report import Score, in_words
from .base import StoryNode
from .common import CATEGORY, captions_of


class StoryScore(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StoryScore",
            display_name="Story Score",
            category=CATEGORY,
            description="Measures how alike a story's pictures are and how well each fits its caption, and shows which one falls out: "
            "for finding the best seed, and the frame to make again.",
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures of one story, from VAE Decode: all batches together."),
                io.ClipVision.Input("clip_vision", tooltip="From Load CLIP Vision: a CLIP, SigLIP or DINOv2; or from Story Demo Model."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the character is, one mask a picture or one for all. The rest is replaced by noise, the same for all, so that "
                    "likeness is the character's alone.",
                ),
                io.Clip.Input(
                    "clip", optional=True, tooltip="The text encoder that belongs to clip_vision. With captions it gives the fit."
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    force_input=True,
                    tooltip="From Story Batch: one text a picture. Or one text with one line a picture.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="likeness", tooltip="Mean cosine of all pairs of pictures, the paper's CLIP-I. nan for a single picture."
                ),
                io.Float.Output(
                    display_name="fit", tooltip="Mean cosine of each picture and its caption, CLIP-T. nan without clip and captions."
                ),
                io.Int.Output(display_name="odd_frame", tooltip="The picture least like the others, counted from 1. 0: none falls out."),
                io.String.Output(display_name="report", tooltip="All numbers in words, a line a picture: for Preview Any."),
                io.Image.Output(display_name="chart", tooltip="Every picture against every other, the odd one marked: for Preview Image."),
            ],
        )

    @classmethod
    def run(
        cls,
        images: list[torch.Tensor],
        clip_vision: list[ClipVisionModel],
        mask: list[torch.Tensor] | None = None,
        clip: list[CLIP] | None = None,
        captions: list[str] | None = None,
    ) -> io.NodeOutput:
        vision, text_encoder = clip_vision[0], clip[0] if clip else None
        count = sum(len(batch) for batch in images)
        texts = captions_of(captions, count)
        masks = _masks(mask, count)
        figures = embed_pictures(vision, images, None if masks is None else _on_noise(masks, getattr(vision, "image_size", 224)))
        fits, why = None, _why_no_fit(texts, text_encoder)
        if not why:
            whole = figures if masks is None else embed_pictures(vision, images)
            fits = cosines(whole, embed_captions(vision, text_encoder, texts, whole.shape[1]))
        score = Score(cosines(figures, figures), fits, why)
        chart = draw_chart([_thumbnail(picture) for batch in images for picture in batch], score)
        pixels = torch.from_numpy(np.array(chart)).float().div(255).unsqueeze(0)
        odd = 0 if score.odd is None else score.odd + 1
        return io.NodeOutput(score.mean_likeness, score.mean_fit, odd, in_words(score, texts, masks is not None), pixels)


def _why_no_fit(texts: list[str], clip: object) -> str:
    missing = [name for name, there in (("clip", clip is not None), ("captions", bool(texts))) if not there]
    return f"{' and '.join(missing)} not connected" if missing else ""


def _masks(mask: list[torch.Tensor] | None, count: int) -> list[torch.Tensor] | None:
    """One mask [H, W] a picture, in 0..1; one for all is handed to each."""
    given = [item for item in mask or [] if item is not None]
    if not given:
        return None
    rows = [row for item in given for row in (item if item.ndim == 3 else item.unsqueeze(0))]
    if len(rows) not in (1, count):
        raise InputError("mask", f"there are {len(rows)} masks for {count} pictures", "Connect one mask a picture, or one for all")
    for number, row in enumerate(rows, start=1):
        if not row.max() > 0:  # also where a value is no number
            raise InputError("mask", f"mask {number} is empty", "Mask the character, or leave mask unconnected to compare whole pictures")
    return rows * count if len(rows) == 1 else rows


def _on_noise(masks: list[torch.Tensor], image_size: int) -> Change:
    """Pictures on their way to the vision model, their background replaced."""
    noise = seeded_noise(image_size)

    def change(pictures: torch.Tensor, first: int) -> torch.Tensor:
        fitted = [
            torch.nn.functional.interpolate(masks[first + index][None, None].float(), size=pictures.shape[1:3], mode="bilinear")[0, 0]
            for index in range(len(pictures))
        ]
        return on_noise(pictures, torch.stack(fitted).clamp(0, 1), noise)

    return change


def _thumbnail(image: torch.Tensor) -> Image.Image:
    """[H, W, C] in 0..1 to a small RGB picture."""
    pixels = image.detach().float().cpu().nan_to_num().clamp(0, 1).mul(255).round().byte()
    pixels = pixels.expand(*pixels.shape[:2], 3) if pixels.shape[-1] == 1 else pixels[..., :3]
    picture = Image.fromarray(pixels.numpy().copy())
    picture.thumbnail((CELL[1], CELL[1]), Image.Resampling.LANCZOS)
    return picture
