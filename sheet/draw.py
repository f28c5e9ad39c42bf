"""Laying pictures and captions out on one sheet."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..errors import InputError
from .fonts import Fonts
from .text import Caption, set_caption

STYLES = ("storyboard", "comic strip")
PAPER = {"white": ("#ffffff", "#1c1c1c"), "black": ("#141414", "#f0f0f0")}
COMIC_INK, COMIC_BOX = "#111111", "#fff7c4"
MAX_PIXELS = 120_000_000


@dataclass(frozen=True)
class Look:
    """How the sheet looks: sizes in pixels; 0 columns and 0 font size are chosen to suit."""

    style: str = "storyboard"
    columns: int = 0
    panel_width: int = 512
    margin: int = 16
    font_size: int = 0
    numbers: bool = True
    first_number: int = 1
    paper: str = "white"


def draw_sheet(
    pictures: list[Image.Image],
    captions: list[str],
    title: str,
    look: Look,
    frame_numbers: list[int] | None = None,
) -> tuple[Image.Image, str]:
    """The sheet (RGB), and the characters of its texts that no font on this machine has.

    Pictures wider than `panel_width` are scaled down to it, smaller ones stay as they are; every
    panel is as large as the largest picture. `captions` has one text per picture or is empty;
    `frame_numbers` has one number per picture, without it they count on from `look.first_number`.
    """
    pictures = [_at_most(picture, look.panel_width) for picture in pictures]
    width, height = (max(picture.size[side] for picture in pictures) for side in (0, 1))
    columns = look.columns or math.ceil(math.sqrt(len(pictures)))
    columns = min(columns, len(pictures))
    size = look.font_size or max(10, width // 18)
    pad = max(2, size // 3)
    comic = look.style == "comic strip"
    numbers = frame_numbers or range(look.first_number, look.first_number + len(pictures))
    texts = [
        _text(number, caption, look)
        for number, caption in zip(numbers, captions or [""] * len(pictures))
    ]
    fonts = Fonts()
    set_texts = [set_caption(text, width - 2 * pad, size, fonts) for text in texts]
    rows = [
        range(start, min(start + columns, len(pictures)))
        for start in range(0, len(pictures), columns)
    ]
    below = [
        (
            0
            if comic
            else max(set_texts[index].height for index in row)
            + (pad if any(texts[index] for index in row) else 0)
        )
        for row in rows
    ]
    full_width = columns * (width + look.margin) + look.margin
    heading = (
        set_caption(title, full_width - 2 * look.margin, round(1.6 * size), fonts)
        if title.strip()
        else None
    )
    top = look.margin + (heading.height + look.margin if heading else 0)
    full_height = top + sum(height + extra + look.margin for extra in below)
    if full_width * full_height > MAX_PIXELS:
        raise InputError(
            "panel_width",
            f"the sheet would be {full_width}x{full_height} pixels",
            "Set it to at most"
            f" {max(16, int(width * math.sqrt(MAX_PIXELS / (full_width * full_height))))}, or make"
            " several sheets",
        )
    paper, ink = PAPER[look.paper]
    sheet = Image.new("RGB", (full_width, full_height), paper)
    draw = ImageDraw.Draw(sheet)
    if heading:
        _write(draw, heading, look.margin, look.margin, full_width - 2 * look.margin, ink)
    for row, extra in zip(rows, below):
        for column, index in enumerate(row):
            left = look.margin + column * (width + look.margin)
            picture = pictures[index]
            sheet.paste(
                picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2)
            )
            if comic:
                _comic_panel(draw, set_texts[index], left, top, width, height, pad)
            else:
                _write(
                    draw,
                    set_texts[index],
                    left + pad,
                    top + height + pad // 2,
                    width - 2 * pad,
                    ink,
                )
        top += height + extra + look.margin
    missing = {
        character
        for caption in [*set_texts, *filter(None, [heading])]
        for character in caption.missing
    }
    return sheet, "".join(sorted(missing))


def _at_most(picture: Image.Image, width: int) -> Image.Image:
    if picture.width <= width:
        return picture
    return picture.resize(
        (width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS
    )


def _text(number: int, caption: str, look: Look) -> str:
    if not look.numbers:
        return caption
    return f"{number}. {caption}" if caption else str(number)


def _write(
    draw: ImageDraw.ImageDraw, caption: Caption, left: int, top: int, width: int, ink: str
) -> None:
    for number, line in enumerate(caption.lines):
        shift = (width - round(caption.font.getlength(line))) // 2
        caption.font.write(draw, left + shift, top + number * caption.line_height, line, ink)


def _comic_panel(
    draw: ImageDraw.ImageDraw,
    caption: Caption,
    left: int,
    top: int,
    width: int,
    height: int,
    pad: int,
) -> None:
    """A frame of ink around the panel, and the caption in a box in its upper left corner."""
    line = max(2, pad // 2)
    if caption.lines:
        box = (
            left,
            top,
            left + min(width, caption.width + 2 * pad) - 1,
            top + min(height, caption.height + pad) - 1,
        )
        draw.rectangle(box, fill=COMIC_BOX, outline=COMIC_INK, width=line)
        for number, text in enumerate(caption.lines):
            at = top + pad // 2 + number * caption.line_height
            caption.font.write(draw, left + pad, at, text, COMIC_INK)
    draw.rectangle((left, top, left + width - 1, top + height - 1), outline=COMIC_INK, width=line)
