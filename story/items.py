"""Lists whose items have a number or a bullet in front: `1.`, `(1)`, `①`, `一、`, `-`, `•`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .marks import stripped
from .numerals import CHINESE, DIGITS, ROMAN, SINGLE, family_of, value_of

Line = tuple[int, str]  # a line's number from 1, and the line

SPACE = "[ \t\u00a0\u2009\u202f\u3000]"
NUMBER = f"{DIGITS}|{CHINESE}|{ROMAN}"
BRACKETED = re.compile(
    rf"([(（\[【]){SPACE}*({NUMBER}){SPACE}*([)）\]】])[.．:：、，,]?{SPACE}*(.*)"
)
FOLLOWED = re.compile(
    rf"((?:№|[Nn][°º]|[Nn]o\.?){SPACE}*)?({NUMBER})(\.?[ºª°]|번)?"
    rf"({SPACE}*(?:\\?\.\)|\\?[.:．](?![0-9０-９])|\\?\)|[）、：。・，"
    rf"]|[-–—](?={SPACE}))|\t){SPACE}*(.*)"
)
ALONE = re.compile(rf"({SINGLE})[.．:：、，,)）]?{SPACE}*(.*)")
BULLET = re.compile(
    rf"([-*+–—·](?={SPACE})|[•‣⁃◦●○▪▫■□◆◇▶►➤➢→✓✔☐☑・]){SPACE}*(?:\[[ xX]\]{SPACE}+)?(.*)"
)
RULE = re.compile(rf"(?:[-*_=—–]{SPACE}*){{3,}}")
HEADING_MARK = re.compile(r"#{2,6}(?!#)")


@dataclass(frozen=True)
class Found:
    """A list that was recognised: what it is, its frames as lines (`#` before those switched off),
    and what is not a frame.
    """

    kind: str
    lines: list[Line]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Marker:
    """What comes before an item: what all items share, its number where it has one, and the item's
    words.
    """

    style: tuple[str, ...]
    number: int | None
    rest: str


def number_marker(line: str) -> Marker | None:
    """The number that a line begins with, bold or not."""
    bare = line.removeprefix("**")
    style: tuple[str, ...]
    if match := BRACKETED.fullmatch(bare):
        opening, number, closing, rest = match.groups()
        style = ("bracket", opening + closing, family_of(number))
    elif match := FOLLOWED.fullmatch(_unbold(bare)):
        before, number, ordinal, behind, rest = match.groups()
        behind = behind if behind == "\t" else stripped(behind).removeprefix("\\")
        style = (
            "behind",
            before and stripped(before) or "",
            ordinal or "",
            behind,
            family_of(number),
        )
    elif match := ALONE.fullmatch(bare):
        number, rest = match.groups()
        style = ("alone", family_of(number))
    else:
        return None
    value = value_of(number)
    return None if value is None else Marker(style, value, rest)


def bullet_marker(line: str) -> Marker | None:
    match = BULLET.fullmatch(line)
    return Marker((match[1],), None, match[2]) if match and not RULE.fullmatch(line) else None


def read_numbers(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """Consecutive numbers from 1 on every item, all written in one way."""
    return _read_items("numbers", lines, number_marker)


def read_bullets(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """The same bullet on every item."""
    return _read_items("bullets", lines, bullet_marker)


def is_apart(before: list[Line]) -> bool:
    """Whether lines that are followed by a list are talk: none, or a blank line, a rule, a heading
    or a colon ends them.
    """
    last = next((line for _, raw in reversed(before) if not is_off(line := stripped(raw))), "")
    return (
        is_gap(last)
        or bool(HEADING_MARK.match(last))
        or last.replace("*", "").endswith((":", "："))
    )


def is_gap(line: str) -> bool:
    return not line or RULE.fullmatch(line) is not None


def is_off(line: str) -> bool:
    """A frame switched off; two `#` or more are a heading of Markdown."""
    return line.startswith("#") and not HEADING_MARK.match(line)


def split_talk(lines: list[Line]) -> tuple[list[Line], list[str]]:
    """Of lines around a list: the frames that are switched off, which stay, and the rest, which is
    left out.
    """
    seen = [(number, line) for number, raw in lines if not is_gap(line := stripped(raw))]
    return [line for line in seen if is_off(line[1])], [
        line for _, line in seen if not is_off(line)
    ]


def joined(words: list[str]) -> str:
    """The lines of one frame as one line, without the asterisks of Markdown's bold."""
    return stripped(" ".join(filter(None, map(stripped, words))).replace("**", ""))


def _read_items(
    kind: str, lines: list[Line], marker: Callable[[str], Marker | None]
) -> Found | None:
    marked = [_marked(raw, marker) for _, raw in lines]
    start = next(
        (place for place, mark in enumerate(marked) if mark and mark.number in (None, 1)), None
    )
    if start is None or not is_apart(lines[:start]):
        return None
    first = marked[start]
    style, indent = first.style if first else (), _indent(lines[start][1])
    items: list[tuple[int, bool, list[str]]] = []  # line, told, words
    counted, gap, place = 0, False, start
    for place in range(start, len(lines)):
        number, raw = lines[place]
        line, mark = stripped(raw), marked[place]
        if is_gap(line):
            gap = True
            continue
        deeper = _indent(raw) > indent
        if mark and mark.style == style:
            if mark.number not in (None, counted + 1) or not stripped(mark.rest):
                return None
            counted += 1
            items.append((number, not is_off(line), [mark.rest]))
        elif is_off(line):
            items.append((number, False, [line.removeprefix("#")]))
        elif deeper:
            _go_on(items[-1][2], line)
        else:
            break
        gap = False
    else:
        place = len(lines)
    after = marked[place:]
    if counted < 2 or (after and not gap) or any(mark and mark.style == style for mark in after):
        return None
    return _found(kind, lines[:start], items, lines[place:])


def _found(
    kind: str, before: list[Line], items: list[tuple[int, bool, list[str]]], after: list[Line]
) -> Found:
    (early, talk), (late, more) = split_talk(before), split_talk(after)
    frames = [
        (number, words if told else f"# {words}")
        for number, told, parts in items
        if (words := joined(parts)) or not told
    ]
    return Found(kind, [*early, *frames, *late], (*talk, *more))


def _marked(raw: str, marker: Callable[[str], Marker | None]) -> Marker | None:
    line = stripped(raw)
    return marker(stripped(line.removeprefix("#")) if is_off(line) else line)


def _go_on(words: list[str], line: str) -> None:
    """A line that goes on with an item; one with a bullet of its own is a part of it."""
    part = bullet_marker(line)
    if part and words:
        words[-1] += ","
    words.append(part.rest if part else line)


def _unbold(line: str) -> str:
    """`1**. playing` and `1.** playing` as `1. playing`: where bold ends says nothing."""
    return line.replace("**", "", 1) if line.find("**") in range(1, 6) else line


def _indent(raw: str) -> int:
    return len(raw) - len(raw.lstrip(" \t\u00a0\u3000"))
