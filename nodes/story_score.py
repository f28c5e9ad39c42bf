"""Story Score: how alike the pictures of a story are, how well they fit their captions, and which
one differs most.
"""

import torch
from comfy.clip_vision import ClipVisionModel
from comfy.sd import CLIP
from comfy_api.latest import io
from PIL import Image

from ..errors import InputError
from ..score.chart import CELL, draw_chart
from ..score.colours import overlap_of_colours
from ..score.embed import Change, embed_captions, embed_pictures, three_channels
from ..score.likeness import cosines
from ..score.masks import Masks, background_as_noise, baseline_masks_of, masks_of
from ..score.report import Score, in_words
from ..sheet.pictures import image_of, picture_of
from .base import StoryNode
from .common import captions_of, story_schema


class StoryScore(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StoryScore",
            display_name="Story Score",
            search_aliases=[
                "CLIP-I",
                "CLIP-T",
                "consistency",
                "similarity",
                "consistent character",
            ],
            description=(
                "Measures how alike a story's pictures are and how well each fits its caption, and"
                " marks the picture that differs most. Use it to find the best seed and the frame"
                " to render again."
            ),
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip="The pictures of one story, from VAE Decode: all batches together.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip=(
                        "From Load CLIP Vision: a CLIP, SigLIP or DINOv2; or from Story Demo Model."
                    ),
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "Where the character is: one mask per picture or one for all. The rest is"
                        " replaced by noise, the same in every picture, so that likeness measures"
                        " only the character."
                    ),
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip=(
                        "The text encoder that belongs to clip_vision. It measures the fit, if"
                        " captions are connected."
                    ),
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "From Story Batch: one text per picture. Or one text with one line per"
                        " picture."
                    ),
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip=(
                        "The pictures of Story Reference. Report and chart then show how like them"
                        " each frame is."
                    ),
                ),
                io.Image.Input(
                    "baseline",
                    optional=True,
                    tooltip=(
                        "The same story without the method, or from another seed. The gain compares"
                        " likeness with it."
                    ),
                ),
                io.Mask.Input(
                    "baseline_mask",
                    optional=True,
                    tooltip=(
                        "Where the character is in the baseline's pictures. Required if mask has"
                        " one per picture."
                    ),
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="likeness",
                    tooltip=(
                        "Mean cosine over all pairs of pictures, the paper's CLIP-I. nan for a"
                        " single picture."
                    ),
                ),
                io.Float.Output(
                    display_name="fit",
                    tooltip=(
                        "Mean cosine of each picture with its caption, CLIP-T. nan without clip and"
                        " captions."
                    ),
                ),
                io.Int.Output(
                    display_name="odd_frame",
                    tooltip=(
                        "The picture that differs most from the others, counted from 1. 0: none"
                        " stands out."
                    ),
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="All numbers as text, one line per picture: for Preview Any.",
                ),
                io.Image.Output(
                    display_name="chart",
                    tooltip=(
                        "Every picture compared with every other, the odd one marked: for Preview"
                        " Image."
                    ),
                ),
                io.Float.Output(
                    display_name="gain",
                    tooltip=(
                        "Likeness against the baseline's: 0 the same likeness, 1 identical"
                        " pictures, below 0 less alike. nan without a baseline."
                    ),
                ),
                io.Float.Output(
                    display_name="colours",
                    tooltip=(
                        "How far the colours of all pairs of pictures overlap, of the characters"
                        " only where a mask is connected: 1 the same colours, 0 none in common. nan"
                        " for a single picture."
                    ),
                ),
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
        reference: list[torch.Tensor] | None = None,
        baseline: list[torch.Tensor] | None = None,
        baseline_mask: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        vision, encoder = clip_vision[0], clip[0] if clip else None
        pictures = [picture for batch in images for picture in batch]
        texts = captions_of(captions, len(pictures))
        masks = masks_of(mask, len(pictures))
        plain, plain_masks = _baseline_of(baseline, baseline_mask, masks, len(pictures))
        figures = embed_pictures(vision, images, _change(masks, vision))
        fits, why = None, _why_no_fit(texts, encoder)
        if encoder is not None and not why:
            whole = figures if masks is None else embed_pictures(vision, images)
            fits = cosines(whole, embed_captions(vision, encoder, texts, whole.shape[1]))
        to_reference = (
            cosines(figures, embed_pictures(vision, reference, name="reference")).mean(1)
            if reference
            else None
        )
        before = (
            embed_pictures(vision, plain, _change(plain_masks, vision, "baseline_mask"), "baseline")
            if plain
            else None
        )
        score = Score(
            cosines(figures, figures),
            fits,
            why,
            to_reference,
            baseline=None if before is None else cosines(before, before),
            colours=_colours(images, masks),
            baseline_colours=_colours(plain, plain_masks) if plain else None,
        )
        odd = 0 if score.odd is None else score.odd + 1
        words = in_words(score, texts, masks is not None)
        chart = image_of(draw_chart(list(map(_thumbnail, pictures)), score))
        return io.NodeOutput(
            score.mean_likeness, score.mean_fit, odd, words, chart, score.gain, score.mean_colours
        )


def _baseline_of(
    given: list[torch.Tensor] | None, given_masks: Masks | None, own: Masks | None, count: int
) -> tuple[list[torch.Tensor], Masks | None]:
    """The baseline's batches, none where it is not connected, and their masks; `own` are the masks
    of the story's `count` pictures.
    """
    batches = [batch for batch in given or [] if batch is not None]
    if not batches:
        if any(mask is not None for mask in given_masks or []):
            raise InputError(
                "baseline_mask",
                "there are no baseline pictures",
                "Connect baseline, or leave baseline_mask unconnected",
            )
        return [], None
    total = sum(map(len, batches))
    if total < 2 <= count:
        raise InputError(
            "baseline",
            f"its likeness needs two pictures or more, received {total}",
            "Connect all pictures of the baseline",
        )
    return batches, baseline_masks_of(given_masks, total, own)


def _colours(batches: list[torch.Tensor], masks: Masks | None) -> torch.Tensor:
    return overlap_of_colours([three_channels(batch) for batch in batches], masks)


def _change(masks: Masks | None, vision: ClipVisionModel, name: str = "mask") -> Change | None:
    if masks is None:
        return None
    return background_as_noise(masks, getattr(vision, "image_size", 224), name)


def _why_no_fit(texts: list[str], encoder: CLIP | None) -> str:
    inputs = {"clip": encoder is not None, "captions": bool(texts)}
    missing = [name for name, connected in inputs.items() if not connected]
    return f"{' and '.join(missing)} not connected" if missing else ""


def _thumbnail(image: torch.Tensor) -> Image.Image:
    """A small RGB picture of [H, W, C] in 0..1."""
    picture = picture_of(image)
    picture.thumbnail((CELL[1], CELL[1]), Image.Resampling.LANCZOS)
    return picture
