"""Frames as people write them: one frame per line, or a pasted list.

    Here are the frames:

    1. playing in the snow
    2. foraging berries

A list is recognised where it is unmistakable: then its numbers, bullets and headings are not
content, and the talk before and after it is left out. Any other text is one frame per line,
unchanged. `web/lists_text.js` reads the same, and `tests/vectors/lists.json` holds both to it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .headings import read_headings
from .items import Found, Line, read_bullets, read_numbers
from .json_list import read_json
from .marks import lines_of, shown, stripped
from .screenplay import read_screenplay
from .table import read_table

SWITCHED_OFF = "#"  # begins the line of a frame that is kept but switched off
CODE = "code"
KINDS = {
    "numbers": "a numbered list",
    "bullets": "a list with bullets",
    "headings": "a list with headings",
    "json": "a JSON list",
    "table": "a table",
    "screenplay": "a screenplay",
    CODE: "a code block",
}
FENCE = re.compile(r"[ \t]*(```+|~~~+)[ \t]*[^`\s]*[ \t]*")
DEPTH = 4  # a list in a list in a code block

Reader = Callable[[list[Line], tuple[str, ...]], Found | None]


@dataclass(frozen=True)
class Frame:
    """One frame: the number of its line in the text, from 1, its words on one line, and whether it
    is switched on (told).
    """

    number: int
    text: str
    on: bool = True


@dataclass(frozen=True)
class Listing:
    """The frames of a text, what it was read as (of KINDS; empty: one frame per line), and what was
    left out of it, in order.
    """

    kind: str
    frames: tuple[Frame, ...]
    left_out: tuple[str, ...] = ()

    @property
    def told(self) -> list[tuple[int, str]]:
        """The frames that are told, each with its line's number."""
        return [(frame.number, frame.text) for frame in self.frames if frame.on]

    @property
    def summary(self) -> str:
        """`a numbered list: 3 frames`; empty where the text is one frame per line."""
        count = len(self.told)
        return f"{KINDS[self.kind]}: {count} frame{'' if count == 1 else 's'}" if self.kind else ""

    @property
    def omitted(self) -> str:
        """What was left out, as a log or a node shows it; empty where nothing was."""
        return ", ".join(f"'{shown(text)}'" for text in self.left_out)


def read_frames(text: str, names: tuple[str, ...] = ()) -> Listing:
    """The frames of a text. `names` are the cast's: a screenplay's character cues become mentions
    of them.

    What is found in a list is read once more, for a numbered list may hold headings, and a code
    block a list: so the frames written out one per line are read as the same frames.
    """
    lines = lines_of(text)
    kinds: list[str] = []
    left_out: list[str] = []
    for _ in range(DEPTH):
        found = _recognised(lines, names)
        if found is None:
            break
        kinds.append(found.kind)
        left_out += found.left_out
        lines = found.lines
    kind = next((kind for kind in kinds if kind != CODE), kinds[0] if kinds else "")
    return Listing(kind, tuple(_plain(lines)), tuple(left_out))


def _recognised(lines: list[Line], names: tuple[str, ...]) -> Found | None:
    return next(filter(None, (read(lines, names) for read in READERS)), None)


def _plain(lines: list[Line]) -> list[Frame]:
    seen = [(number, line) for number, raw in lines if (line := stripped(raw))]
    return [Frame(number, *_switched(line)) for number, line in seen]


def _switched(line: str) -> tuple[str, bool]:
    if not line.startswith(SWITCHED_OFF):
        return line, True
    return stripped(line[len(SWITCHED_OFF) :]), False


def read_code_block(lines: list[Line], names: tuple[str, ...]) -> Found | None:
    """The text between two lines of ``` or ~~~, if that is a list or several lines; the talk around
    it is left out.
    """
    fences = [place for place, (_, line) in enumerate(lines) if FENCE.fullmatch(stripped(line))]
    if len(fences) != 2 or stripped(lines[fences[0]][1])[:3] != stripped(lines[fences[1]][1])[:3]:
        return None
    start, end = fences
    inside = lines[start + 1 : end]
    if sum(bool(stripped(line)) for _, line in inside) < 2 and not _recognised(inside, names):
        return None
    outside = [stripped(line) for _, line in (*lines[:start], *lines[end + 1 :])]
    return Found(CODE, inside, tuple(filter(None, outside)))


READERS: tuple[Reader, ...] = (
    read_code_block,
    read_json,
    read_screenplay,
    read_table,
    read_headings,
    read_numbers,
    read_bullets,
)
