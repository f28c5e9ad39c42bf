"""Story Slate: writes into every picture which frame it is, before a collector that mixes the pictures of several machines."""

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..slate import pixels
from ..slate.record import longest_message, records_of
from ..story.selection import parse_selection, selection_text
from ..story.share import MASTER_DELEGATES, MASTER_RENDERS, Share
from .base import StoryNode
from .common import CATEGORY, ShareType, require_one_size


class StorySlate(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StorySlate",
            display_name="Story Slate",
            category=CATEGORY,
            description="Writes into a few rows of pixels above each picture which frame it is, so that Story Gather behind a collector of "
            "several machines can put all in order and name what is missing.",
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures, from VAE Decode: all batches together."),
                ShareType.Input("share", tooltip="From Story Batch: which frames these pictures are."),
                io.Combo.Input(
                    "master",
                    options=[MASTER_RENDERS, MASTER_DELEGATES],
                    default=MASTER_RENDERS,
                    tooltip="Whether the machine that you queue on renders a share too. Workers are not told, so it is said here: as in "
                    "ComfyUI-Distributed's settings.",
                ),
                io.String.Input(
                    "earlier_frames",
                    default="",
                    dynamic_prompts=False,
                    tooltip="Which frames the earlier pictures are, like 1-3,5. Empty: all frames that Story Batch does not select now.",
                ),
                io.Image.Input(
                    "earlier",
                    optional=True,
                    tooltip="Pictures of an earlier run, in the story's order, that come along: for a whole sheet when only missing frames "
                    "are rendered again.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip="All as one batch, each with its slate: for the collector, then Story Gather. Nothing may change them in between.",
                )
            ],
        )

    @classmethod
    def run(cls, images: list, share: list, master: list, earlier_frames: list, earlier: list | None = None) -> io.NodeOutput:
        return io.NodeOutput(_slated(images, share[0], master[0] == MASTER_RENDERS, earlier or [], earlier_frames[0]))


def _slated(images: list, share: Share, master_renders: bool, earlier: list, earlier_frames: str) -> torch.Tensor:
    """[N, rows + H, W, C]: this machine's pictures, and on the first machine the earlier ones behind them."""
    came_before = _earlier_frames(share, sum(batch.shape[0] for batch in earlier), earlier_frames)
    asked = sorted({*share.asked, *came_before})
    taken = earlier if share.part == 0 else []
    frames = [*share.rendered, *(came_before if taken else [])]
    height, width, channels = require_one_size("images", [*images, *taken])
    pictures = [picture for batch in [*images, *taken] for picture in batch]
    if len(pictures) != len(frames):
        raise InputError(
            "images",
            f"there are {len(pictures) - len(frames) + len(share.rendered)} pictures for {len(share.rendered)} frames",
            "Connect the pictures of this Story Batch, all of them and once",
        )
    rows = pixels.rows_for(longest_message(share, asked), width, channels)
    records = records_of(share, frames, asked, (height, width), master_renders)
    out = torch.empty(len(pictures), rows + height, width, channels, device=pictures[0].device)
    for place, (picture, record) in enumerate(zip(pictures, records)):
        out[place] = pixels.write(picture.float(), record.encode(), rows)
    return out


def _earlier_frames(share: Share, count: int, text: str) -> list[int]:
    """The frames that the `count` earlier pictures are."""
    if count == 0:
        if text.strip():
            raise InputError("earlier_frames", "no earlier pictures are connected", "Connect them to earlier, or empty this")
        return []
    if text.strip():
        try:
            frames = parse_selection(text, len(share.captions))
        except InputError as error:
            raise InputError("earlier_frames", error.problem, "Write frames like '1-3,5'") from None
        both = sorted({*frames} & {*share.asked})
        if both:
            raise InputError(
                "earlier_frames", f"frames {selection_text(both)} are rendered now as well", "Leave them out, with their pictures"
            )
    else:
        frames = sorted({*range(len(share.captions))} - {*share.asked})
    if len(frames) != count:
        raise InputError(
            "earlier",
            f"there are {count} pictures for the {len(frames)} frames {selection_text(frames) or '(none)'}",
            "Connect one picture for each, in the story's order, or say in earlier_frames which they are",
        )
    return frames
