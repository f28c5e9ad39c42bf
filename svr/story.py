"""The text side: a CLIP and a story in, CONDITIONING with one row per frame out."""

from dataclasses import replace

import comfy.model_management
import comfy.utils

from ..references.models import require_encoder
from ..story.references import Reference
from ..story.story import Story
from .clip import Reader
from .encode import Entry, Prompt, encode_prompt, record_of
from .entries import Reweighting, reweight_entry
from .phrases import LeftOpen
from .reports import report_alphas, report_weights
from .stack import stack
from .windows import choose_windows

Wanted = tuple[
    tuple[int, ...], tuple[Reference, ...]
]  # a prompt: the frames in its window, and the pictures before it


def encode_story(
    reader: Reader, story: Story, reweighting: Reweighting | None, zero_pooled: bool
) -> list[Entry]:
    """CONDITIONING whose tensors have one row per frame.

    `reweighting` is applied to each encoder's part of each frame; None keeps the encoding as it is.
    If the CLIP's model normalises rows, so that their length is lost, the encoding is kept as well,
    and the record says by which factors keys and values are to be multiplied instead. Frames that
    share a prompt share its encoding. `stack.py` brings prompts of different lengths to one length.
    The dict says which frame each row is (`story/rows.py`), and which references it sees. Where the
    text encoder looks at pictures, those of the frame's references are before its prompt, and only
    frames with the same pictures share one.
    """
    require_encoder(reader.kind, reader.clip.tokenizer, story.references)
    report_weights(reader, story)
    references = [story.references_of(frame) for frame in range(len(story.frames))]
    seen = references if reader.kind.picture_pixels else [()] * len(story.frames)
    frame_prompts = list(zip(choose_windows(reader, story), seen))
    prompts = _encode_each(reader, story, list(dict.fromkeys(frame_prompts)))
    on_rows, on_keys = (None, reweighting) if reader.length_is_lost else (reweighting, None)
    if on_keys is not None:
        report_alphas(reader, on_keys.enhance, on_keys.weaken)
    frames, records = [], []
    for frame, (window, pictures) in enumerate(frame_prompts):
        comfy.model_management.throw_exception_if_processing_interrupted()
        prompt, present = prompts[window, pictures], story.present[frame]
        expressed = len(story.identity_phrases) + window.index(frame)
        frames.append(
            [
                reweight_entry(entry, prompt.parts, expressed, present, on_rows)
                for entry in prompt.entries
            ]
        )
        factors: tuple[tuple[int, float], ...] = ()
        if on_keys is not None:
            (part,) = prompt.parts  # such a CLIP has one encoder that fills positions
            factors = on_keys.factors(part.layout, expressed, present)
        records.append(
            record_of(reader, story.identity_phrases, present, prompt, references[frame], factors)
        )
    return [
        stack(
            list(entries),
            tuple(replace(record, schedule=schedule) for record in records),
            zero_pooled,
            reader.kind.for_unets,
        )
        for schedule, entries in enumerate(zip(*frames))
    ]


def _encode_each(reader: Reader, story: Story, distinct: list[Wanted]) -> dict[Wanted, Prompt]:
    """The prompts of these windows after these pictures, with a bar in the page where there are
    several.
    """
    prompts = {}
    progress = comfy.utils.ProgressBar(len(distinct)) if len(distinct) > 1 else None
    for window, pictures in distinct:
        comfy.model_management.throw_exception_if_processing_interrupted()
        try:
            prompts[window, pictures] = encode_prompt(
                reader.looking_at(pictures), story.phrases(window)
            )
        except LeftOpen as error:
            raise error.in_frame_of(story) from None
        if progress is not None:
            progress.update(1)
    return prompts
