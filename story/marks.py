"""The visible part of a text: characters without a shape of their own, the edges of a line, and how
an error quotes it.

A text from a word processor, a browser or a language model brings along byte order marks,
zero-width spaces, soft hyphens and marks of direction. At the edges of a line they are treated as
absent, for there they would hide a frame, a name or a `#`. Inside a line they stay: Thai separates
words with them, and emoji, Persian and Indic words are joined by ZWJ and ZWNJ. `web/marks_text.js`
reads the same.
"""

import re
import unicodedata

WHITE = frozenset(
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)
JOINERS = frozenset("\u200c\u200d")  # meant where they touch a letter, its mark or an emoji


def _ranges(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(code) for first, last in ranges for code in range(first, last + 1))


# Control characters; soft hyphen; direction; zero width; invisible operators; fillers; blank
# Braille.
INVISIBLE = _ranges(
    (0x00, 0x08),
    (0x0E, 0x1B),
    (0x7F, 0x84),
    (0x86, 0x9F),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180E, 0x180E),
    (0x200B, 0x200B),
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),
)
# They change the character before them, an emoji's above all: absent only where there is none
# before.
SELECTORS = _ranges(
    (0x34F, 0x34F), (0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF)
)

_BEFORE = WHITE | INVISIBLE | SELECTORS
_AFTER = WHITE | INVISIBLE
_UNSEEN = _BEFORE | JOINERS
_LONE = re.compile("[\ud800-\udfff]")

SHOWN = 40  # characters of a text that an error quotes


def stripped(text: str) -> str:
    """The text without white space and invisible characters at its edges; empty where nothing can
    be seen.
    """
    if text and text[0] not in _UNSEEN and text[-1] not in _UNSEEN:
        return text
    if all(char in _UNSEEN for char in text):
        return ""
    start, end = 0, len(text)
    while text[start] in _BEFORE or (text[start] in JOINERS and not _is(text, start + 1, "LM")):
        start += 1
    while text[end - 1] in _AFTER or (text[end - 1] in JOINERS and not _joined(text, end - 2)):
        end -= 1
    return text[start:end]


def without_invisible(text: str) -> str:
    """The text without any character that cannot be seen, joiners included: what names are compared
    by.
    """
    return "".join(
        char
        for char in text
        if char not in INVISIBLE and char not in JOINERS and char not in SELECTORS
    )


def lines_of(text: str) -> list[tuple[int, str]]:
    """The lines with their numbers from 1. Where a line ends is Python's splitlines, in the page
    too.
    """
    return list(enumerate(text.splitlines(), 1))


def shown(text: str, most: int = SHOWN) -> str:
    """The text as an error quotes it: at most `most` characters, each of them visible."""
    seen = [
        char if char.isprintable() or char in JOINERS else f"<U+{ord(char):04X}>"
        for char in stripped(text)
        if char not in INVISIBLE
    ]
    whole = "".join(seen)
    return whole if len(whole) <= most else whole[: most - 2] + ".."


def well_formed(text: str) -> str:
    """The text with U+FFFD for every half of a surrogate pair, which JSON can write and no encoder
    can read.
    """
    return _LONE.sub("\ufffd", text)


def _is(text: str, at: int, kinds: str) -> bool:
    return 0 <= at < len(text) and unicodedata.category(text[at])[0] in kinds


def _joined(text: str, at: int) -> bool:
    return _is(text, at, "LMS") or (at >= 0 and text[at] in JOINERS)
