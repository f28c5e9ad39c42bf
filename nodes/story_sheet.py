"""Story Sheet: all frames with their captions on one picture."""

import torch
from comfy_api.latest import io
from PIL import Image

from ..errors import InputError
from ..log import warn_rarely
from ..sheet.draw import PAPER, STYLES, Look, draw_sheet
from ..sheet.pictures import image_of, picture_of
from ..story.selection import parse_selection
from .base import StoryNode
from .common import captions_of, story_schema

MAX_COLUMNS = 64
MAX_PANEL = 8192
MAX_MARGIN = 512
MAX_FONT = 512


class StorySheet(StoryNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return story_schema(
            node_id="StorySheet",
            display_name="Story Sheet",
            search_aliases=["storyboard", "comic", "contact sheet", "captions", "image grid"],
            advanced=["margin", "font_size", "numbers", "first_number"],
            description=(
                "Puts all pictures of a story on one sheet with their captions: a storyboard or a"
                " comic strip."
            ),
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip=(
                        "The pictures, from VAE Decode: all batches together. Their sizes may"
                        " differ."
                    ),
                ),
                io.String.Input(
                    "captions",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "From Story Batch: one text per picture. Or one text with one line per"
                        " picture. Not connected: no captions."
                    ),
                ),
                io.String.Input(
                    "title",
                    default="",
                    dynamic_prompts=False,
                    tooltip="A line above all pictures. Empty: no title.",
                ),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    default=STYLES[0],
                    tooltip=(
                        "storyboard: captions below the pictures. comic strip: framed panels with"
                        " the caption in a box inside."
                    ),
                ),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=MAX_COLUMNS,
                    tooltip="Pictures side by side. 0: about as many columns as rows.",
                ),
                io.Int.Input(
                    "panel_width",
                    default=512,
                    min=16,
                    max=MAX_PANEL,
                    tooltip=(
                        "Wider pictures are scaled down to this many pixels; smaller ones stay as"
                        " they are."
                    ),
                ),
                io.Int.Input(
                    "margin",
                    default=16,
                    min=0,
                    max=MAX_MARGIN,
                    tooltip="Empty pixels between the pictures and around them.",
                ),
                io.Int.Input(
                    "font_size",
                    default=0,
                    min=0,
                    max=MAX_FONT,
                    tooltip=(
                        "Height of the letters in pixels. 0: chosen for the size of the pictures."
                        " Long captions get smaller letters."
                    ),
                ),
                io.Boolean.Input("numbers", default=True, tooltip="Number the pictures."),
                io.Int.Input(
                    "first_number",
                    default=1,
                    min=0,
                    max=100000,
                    tooltip=(
                        "Number of the first picture. For a part of a story that does not begin at"
                        " 1."
                    ),
                ),
                io.Combo.Input(
                    "paper",
                    options=list(PAPER),
                    default="white",
                    tooltip="Background colour; the text uses the contrasting one.",
                ),
                io.Int.Input(
                    "frame_numbers",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "From Story Gather: the pictures' own numbers in the story. They replace"
                        " the count from first_number."
                    ),
                ),
                io.Image.Input(
                    "again",
                    optional=True,
                    tooltip=(
                        "Pictures rendered again. They replace the pictures that again_numbers"
                        " lists."
                    ),
                ),
                io.String.Input(
                    "again_numbers",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip=(
                        "Which pictures 'again' replaces, counted from 1 and written as in Story"
                        " Batch's select, like 3 or 1-2,5."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="sheet",
                    tooltip="One picture of the whole story: for Preview Image or Save Image.",
                )
            ],
        )

    @classmethod
    def run(
        cls,
        images: list[torch.Tensor],
        title: list[str],
        style: list[str],
        columns: list[int],
        panel_width: list[int],
        margin: list[int],
        font_size: list[int],
        numbers: list[bool],
        first_number: list[int],
        paper: list[str],
        captions: list[str] | None = None,
        frame_numbers: list[int] | None = None,
        again: list[torch.Tensor] | None = None,
        again_numbers: list[str] | None = None,
    ) -> io.NodeOutput:
        look = Look(
            style[0],
            columns[0],
            panel_width[0],
            margin[0],
            font_size[0],
            numbers[0],
            first_number[0],
            paper[0],
        )
        pictures = _pictures(images)
        if again is not None:
            _put_in(pictures, _pictures(again), (again_numbers or [""])[0])
        texts = captions_of(captions, len(pictures))
        if frame_numbers is not None and len(frame_numbers) != len(pictures):
            raise InputError(
                "frame_numbers",
                f"there are {len(frame_numbers)} numbers for {len(pictures)} pictures",
                "Connect numbers and images of the same Story Gather, or leave frame_numbers"
                " unconnected",
            )
        sheet, missing = draw_sheet(pictures, texts, title[0], look, frame_numbers)
        if missing:
            warn_rarely(
                f"Story Sheet: no font on this machine has the characters {missing[:40]}; install"
                " one that has, for example Noto Sans CJK"
            )
        return io.NodeOutput(image_of(sheet))


def _pictures(batches: list[torch.Tensor]) -> list[Image.Image]:
    return [picture_of(picture) for batch in batches for picture in batch]


def _put_in(pictures: list[Image.Image], again: list[Image.Image], numbers: str) -> None:
    """Put `again` in the place of the numbered pictures, in order."""
    places = parse_selection(numbers, len(pictures), "again_numbers")
    if len(places) != len(again):
        raise InputError(
            "again_numbers",
            f"it names {len(places)} of the {len(pictures)} pictures but again brings {len(again)}",
            "Name as many pictures as are rendered again: the frames of Story Batch's select",
        )
    for place, picture in zip(places, again):
        pictures[place] = picture
