"""Fonts of this machine that have every letter of a text, whatever scripts it mixes.

One font for a text where one has all of it, else one for each run of characters.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast
from unicodedata import category

from PIL import ImageDraw, ImageFont

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
# Plain upright faces first, by the beginning of the file name; Pillow's own face comes before them
# all.
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
ABSENT = (  # a private-use character: no font has it, so it is drawn as the font's "missing" box
    "\U0010fffd"
)


@dataclass(frozen=True)
class Letters:
    """What one text is drawn in: one font, or several where no font has all of its characters.

    `has` says for every font which of the text's characters it draws.
    """

    fonts: tuple[ImageFont.FreeTypeFont, ...]
    has: tuple[frozenset[str], ...]

    @property
    def size(self) -> float:
        return self.fonts[0].size

    def of_size(self, size: float) -> "Letters":
        return replace(self, fonts=tuple(font.font_variant(size=size) for font in self.fonts))

    @property
    def metrics(self) -> tuple[int, int]:
        """How far the letters reach above the base line and below it, in pixels."""
        above, below = zip(*(font.getmetrics() for font in self.fonts))
        return max(above), max(below)

    def runs(self, text: str) -> list[tuple[str, ImageFont.FreeTypeFont]]:
        """`text` in runs of one font each. A run goes on as long as its font has the characters.

        What no font has stays in the run before, so marks stay with their letters.
        """
        at, runs = 0, [""]
        fonts = [at]
        for character in text:
            owners = [place for place, known in enumerate(self.has) if character in known]
            if owners and at not in owners:
                at = owners[0]
                runs.append("")
                fonts.append(at)
            runs[-1] += character
        return [(run, self.fonts[place]) for run, place in zip(runs, fonts) if run]

    def getlength(self, text: str) -> float:
        """The width of `text` in pixels."""
        return sum(font.getlength(run) for run, font in self.runs(text))

    def write(self, draw: ImageDraw.ImageDraw, left: int, top: int, text: str, ink: str) -> None:
        """Draw `text` with its upper left corner there, all fonts on one base line."""
        right, above = float(left), self.metrics[0]
        for run, font in self.runs(text):
            place = (round(right), top + above - font.getmetrics()[0])
            draw.text(place, run, font=font, fill=ink)
            right += font.getlength(run)


class Fonts:
    """This machine's fonts. It is searched once and each font opened once per size, for a sheet."""

    def __init__(self) -> None:
        self._paths: list[Path] | None = None
        self._opened: dict[float, list[ImageFont.FreeTypeFont]] = {}
        self._unread: dict[float, list[Path]] = {}
        self._drawn: dict[tuple[int, str], bool] = {}

    def letters_for(self, text: str, size: float) -> tuple[Letters, str]:
        """The letters for a text, and its characters that no font has.

        The first font that has all the others is its only font. Where there is none, each run of
        characters has the first font that has them.
        """
        wanted = frozenset(filter(_is_drawn, text))
        found: list[tuple[ImageFont.FreeTypeFont, frozenset[str]]] = []
        for font in self._fonts(size):
            has = frozenset(character for character in wanted if self._has(font, character))
            if has == wanted:
                return Letters((font,), (has,)), ""
            found.append((font, has))
        anywhere = frozenset().union(*(has for _, has in found))
        missing = "".join(sorted(wanted - anywhere)).strip()  # a space is nothing to miss
        for font, has in found:
            if has == anywhere:
                return Letters((font,), (has,)), missing
        helping, held = [], frozenset[str]()
        for font, has in found:
            if has - held:
                helping.append((font, has))
                held |= has
        fonts, each = zip(*helping)
        return Letters(fonts, each), missing

    def _fonts(self, size: float) -> Iterator[ImageFont.FreeTypeFont]:
        if size not in self._opened:
            # The bitmap face is for callers without a size.
            plain = cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
            self._opened[size] = [plain]
        opened, at = self._opened[size], 0
        while at < len(opened) or self._open_another(size):
            yield opened[at]
            at += 1

    def _open_another(self, size: float) -> bool:
        """Open the next font of the machine that FreeType reads; False where there is no more."""
        if self._paths is None:
            self._paths = sorted(_font_files(), key=_rank)
        unread = self._unread.setdefault(size, list(self._paths))
        while unread:
            try:
                self._opened[size].append(ImageFont.truetype(str(unread.pop(0)), size))
                return True
            except OSError:
                continue
        return False

    def _has(self, font: ImageFont.FreeTypeFont, character: str) -> bool:
        key = id(font), character
        if key not in self._drawn:
            self._drawn[key] = _has(font, character)
        return self._drawn[key]


def font_for(text: str, size: float) -> tuple[ImageFont.FreeTypeFont, str]:
    """The one font that has most of `text`'s characters, and those that no font has: for labels."""
    letters, missing = Fonts().letters_for(text, size)
    best = max(range(len(letters.fonts)), key=lambda place: len(letters.has[place]))
    return letters.fonts[best], missing


def _font_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.expandvars(os.path.expanduser(folder))):
            yield from (Path(where, name) for name in names if name.lower().endswith(ENDINGS))


def _rank(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    return (
        next(
            (place for place, start in enumerate(PREFERRED) if name.startswith(start)),
            len(PREFERRED),
        ),
        name,
    )


def _is_drawn(character: str) -> bool:
    """Whether a font needs a glyph for it; spaces do too, or they are drawn as boxes."""
    return character.isprintable() or category(character) == "Zs"


def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the font draws the character differently than one it cannot have."""
    drawn, absent = font.getmask(character), font.getmask(ABSENT)
    return drawn.size != absent.size or bytes(drawn) != bytes(absent)
