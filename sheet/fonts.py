"""A font of this machine that has every letter of a text, Latin or Chinese, Japanese, Korean and others."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from PIL import ImageFont

FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "%WINDIR%/Fonts",
    "%LOCALAPPDATA%/Microsoft/Windows/Fonts",
)
ENDINGS = (".ttf", ".ttc", ".otf")
# Plain upright faces first, by the beginning of the file name; Pillow's own face stands before them all.
PREFERRED = (
    "dejavusans.",
    "notosans-regular",
    "arial.",
    "segoeui.",
    "liberationsans-regular",
    "helvetica",
    "notosanscjk-regular",
    "notosanscjk",
    "notosanssc",
    "sourcehansans",
    "msyh",
    "pingfang",
    "hiragino",
    "yugoth",
    "meiryo",
    "malgun",
    "nanumgothic",
    "applesdgothic",
    "wqy",
    "simhei",
    "ipag",
    "arialuni",
)
ABSENT = "\U0010fffd"  # a private-use character: no font has it, so it is drawn as the font's "missing" box


def font_for(text: str, size: int) -> tuple[ImageFont.FreeTypeFont, str]:
    """The first font that has all of `text`'s characters, and the characters that even the best font lacks."""
    wanted = sorted({character for character in text if character.isprintable() and not character.isspace()})
    fonts = _fonts(size)
    best = next(fonts)
    fewest = [character for character in wanted if not _has(best, character)]
    for font in fonts:
        if not fewest:
            break
        missing = [character for character in fewest if not _has(font, character)]
        if len(missing) < len(fewest):
            best, fewest = font, missing
    return best, "".join(fewest)


def _fonts(size: int) -> Iterator[ImageFont.FreeTypeFont]:
    yield cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))  # the bitmap face is for callers without a size
    for path in sorted(_font_files(), key=_rank):
        try:
            yield ImageFont.truetype(str(path), size)
        except OSError:  # not a font that FreeType reads
            continue


def _font_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.expandvars(os.path.expanduser(folder))):
            yield from (Path(where, name) for name in names if name.lower().endswith(ENDINGS))


def _rank(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    return next((place for place, start in enumerate(PREFERRED) if name.startswith(start)), len(PREFERRED)), name


def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the font draws the character otherwise than one it cannot have."""
    drawn, absent = font.getmask(character), font.getmask(ABSENT)
    return drawn.size != absent.size or bytes(drawn) != bytes(absent)
