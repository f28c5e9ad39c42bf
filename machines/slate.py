"""Slates on a story's pictures: written before a collector, read and removed after it.

Pictures are IMAGE batches, float [n, H, W, C] in 0..1; a slate is rows of pixels above a picture.
"""

import torch
from torch import Tensor

from ..errors import InputError
from ..story.selection import parse_selection, selection_text
from . import pixels
from .collector import MASTER_RENDERS
from .record import Gathered, Record, gather, longest_message, records_of
from .share import Share

Batches = list[Tensor]
NO_SLATE = "Put Story Slate before the collector; scale, crop, join or compress nothing in between"


def with_slates(images: Batches, share: Share, master: str, earlier: Batches, which: str) -> Tensor:
    """This machine's pictures with their slates, [N, rows + H, W, C].

    `master` is MASTER_RENDERS or MASTER_DELEGATES. On the first machine the `earlier` pictures come
    after them; `which` frames they are reads like 1-3,5, or is empty for all not rendered now.
    Raises InputError for pictures that are not one per frame, or differ in size.
    """
    came_before = _earlier_frames(share, sum(map(len, earlier)), which)
    asked = sorted({*share.asked, *came_before})
    taken = earlier if share.part == 0 else []
    frames = [*share.rendered, *(came_before if taken else [])]
    height, width, channels = _one_size([*images, *taken])
    pictures = [picture for batch in [*images, *taken] for picture in batch]
    if len(pictures) != len(frames):
        came, due = len(pictures) - len(frames) + len(share.rendered), len(share.rendered)
        remedy = "Connect the pictures of this Story Batch, all of them and once"
        raise InputError("images", f"there are {came} pictures for {due} frames", remedy)
    rows = pixels.rows_for(longest_message(share, asked), width, channels)
    records = records_of(share, frames, asked, (height, width), master == MASTER_RENDERS)
    out = torch.empty(len(pictures), rows + height, width, channels, device=pictures[0].device)
    for place, (picture, record) in enumerate(zip(pictures, records)):
        out[place] = pixels.write(picture.float(), record.encode(), rows)
    return out


def without_slates(images: Batches) -> tuple[Tensor, Gathered]:
    """The pictures [N, H, W, C] in the story's order, each frame once; and what their slates
    contain.

    Raises InputError for pictures without a slate, changed ones, and those of two stories.
    """
    _one_size(images)
    if not sum(map(len, images)):
        remedy = "Look at the logs of the machines that render, and run again"
        raise InputError("images", "no picture came", remedy)
    pictures = images[0] if len(images) == 1 else torch.cat(images)
    slates = [_slate(picture, place) for place, picture in enumerate(pictures, 1)]
    gathered = gather([record for record, _ in slates])
    return pictures[gathered.places, slates[0][1] :], gathered


def _slate(picture: Tensor, place: int) -> tuple[Record, int]:
    """The content of a picture's slate, and how many rows it has."""
    found = pixels.read(picture)
    if found is None:
        raise InputError("images", f"picture {place} has no slate that can be read", NO_SLATE)
    message, rows = found
    record = Record.decode(message)
    if (rows + record.height, record.width) != tuple(picture.shape[:2]):
        problem = f"picture {place} was cropped or joined with another one"
        raise InputError("images", problem, NO_SLATE)
    return record, rows


def _one_size(batches: Batches) -> tuple[int, int, int]:
    """Height, width and channels that all pictures share."""
    sizes = sorted({tuple(batch.shape[1:]) for batch in batches})
    if len(sizes) != 1:
        listed = ", ".join(f"{size[1]}x{size[0]} with {size[2]} channels" for size in sizes)
        raise InputError("images", f"the pictures differ in size: {listed}", "Make all of one size")
    height, width, channels = sizes[0]
    return height, width, channels


def _earlier_frames(share: Share, count: int, text: str) -> list[int]:
    """The frames that the `count` earlier pictures are."""
    name = "earlier_frames"
    if count == 0:
        if text.strip():
            remedy = "Connect them to earlier, or empty this"
            raise InputError(name, "no earlier pictures are connected", remedy)
        return []
    frames = sorted({*range(len(share.captions))} - {*share.asked})
    if text.strip():
        try:
            frames = parse_selection(text, len(share.captions))
        except InputError as error:
            raise InputError(name, error.problem, "Write frames like '1-3,5'") from None
        both = sorted({*frames} & {*share.asked})
        if both:
            problem = f"frames {selection_text(both)} are rendered now as well"
            raise InputError(name, problem, "Leave them out, with their pictures")
    if len(frames) != count:
        named = selection_text(frames) or "(none)"
        problem = f"there are {count} pictures for the {len(frames)} frames {named}"
        remedy = "Connect one for each, in order, or write in earlier_frames which they are"
        raise InputError("earlier", problem, remedy)
    return frames
