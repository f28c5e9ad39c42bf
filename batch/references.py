"""A frame's references in its CONDITIONING, in the entry that ComfyUI's ReferenceLatent writes."""

from collections.abc import Sequence

import torch

from ..errors import InputError
from ..story.references import Reference
from ..story.rows import rows_of
from ..story.story import Story
from .cut import Conditioning

LATENTS = "reference_latents"  # a list of latents [1 or rows, channels, .., h, w]


def references_by_frame(story: Story, frames: Conditioning) -> list[tuple[Reference, ...]]:
    """What each of the story's frames sees.

    Raises InputError where its conditioning was made of a story with other references.
    """
    by_frame = [story.references_of(frame) for frame in range(len(story.frames))]
    for _, extra in frames:
        records = rows_of(extra, len(story.frames))
        if records is not None and not all(
            _same(row.references, own) for row, own in zip(records, by_frame)
        ):
            remedy = (
                "Connect the story of the last Story Reference to SVR Reweight, IPCA Patch and"
                " Story Batch"
            )
            raise InputError("story", "its references are not those of the frames", remedy)
    return by_frame


def _same(left: Sequence[Reference], right: Sequence[Reference]) -> bool:
    """Whether they are the same pictures of the same characters, encoded in the same size.

    By content: where ComfyUI keeps few results, Story Reference may run again and SVR Reweight not.
    """
    return len(left) == len(right) and all(
        one is other
        or (
            one.phrase == other.phrase
            and one.latent.shape == other.latent.shape
            and torch.equal(one.picture, other.picture)
        )
        for one, other in zip(left, right)
    )


def with_references(conditioning: Conditioning, references: Sequence[Reference]) -> Conditioning:
    """Every entry with these references' latents after those that it has."""
    if not references:
        return conditioning
    ours = [reference.latent for reference in references]
    return [
        [cond, {**extra, LATENTS: [*(extra.get(LATENTS) or []), *ours]}]
        for cond, extra in conditioning
    ]
