"""Breaking a caption into lines that fit a panel."""

from dataclasses import dataclass

from .fonts import Fonts, Letters

LINES = 3  # a caption gets smaller letters before it gets a fourth line
SMALLEST = 0.6
# Scripts written without spaces between words may break after any character.
UNSPACED = (
    (0x2E80, 0x9FFF),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True)
class Caption:
    """Lines of text in their letters, and what this machine has no letters for."""

    lines: tuple[str, ...]
    font: Letters
    missing: str = ""

    @property
    def line_height(self) -> int:
        return sum(self.font.metrics)

    @property
    def height(self) -> int:
        return self.line_height * len(self.lines)

    @property
    def width(self) -> int:
        return max((round(self.font.getlength(line)) for line in self.lines), default=0)


def set_caption(text: str, width: int, size: int, fonts: Fonts) -> Caption:
    """`text` wrapped to `width` pixels in letters of `size`, smaller where it would take more than
    LINES lines.
    """
    font, missing = fonts.letters_for(text, size)
    lines = wrap(text, width, font)
    while len(lines) > LINES and font.size > max(SMALLEST * size, 6):
        font = font.of_size(font.size - 1)
        lines = wrap(text, width, font)
    return Caption(tuple(lines), font, missing)


def wrap(text: str, width: int, font: Letters) -> list[str]:
    """Lines no wider than `width`, broken at spaces, between CJK characters, and inside a word that
    is too long for a line.
    """
    lines, line = [], ""
    for piece in _pieces(text):
        if font.getlength((line + piece).rstrip()) <= width:
            line += piece
            continue
        if line.strip():
            lines.append(line.strip())
        line = piece.lstrip()
        while len(line) > 1 and font.getlength(line.rstrip()) > width:
            fits = next(
                count
                for count in range(len(line) - 1, 0, -1)
                if count == 1 or font.getlength(line[:count]) <= width
            )
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.strip()] if line.strip() else lines


def _pieces(text: str) -> list[str]:
    """The text in pieces between which a line may break; a word keeps the space after it."""
    pieces, word = [], ""
    for character in text:
        unspaced = any(first <= ord(character) <= last for first, last in UNSPACED)
        if unspaced and word:
            pieces.append(word)
            word = ""
        word += character
        if unspaced or character.isspace():
            pieces.append(word)
            word = ""
    return [*pieces, word] if word else pieces
