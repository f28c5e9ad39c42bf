"""A JSON list of strings, or of objects that hold a text: as language models and programs write
stories.
"""

import json
import re
from typing import Any

from .columns import Column, frames_of_columns
from .items import Found, Line, is_apart, is_gap, split_talk
from .marks import stripped, well_formed

KIND = "json"
LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def read_json(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """The whole text, less the talk around it, as JSON: a list, or an object that has one list in
    it.
    """
    seen = [stripped(raw) for _, raw in lines]
    start = next((place for place, line in enumerate(seen) if line[:1] in ("[", "{")), None)
    end = next(
        (place for place in reversed(range(len(seen))) if seen[place][-1:] in ("]", "}")), None
    )
    if start is None or end is None or end < start or not is_apart(lines[:start]):
        return None
    if any(seen[end + 1 :]) and not is_gap(seen[end + 1]):
        return None
    source = "\n".join(
        [
            seen[start],
            *(raw for _, raw in lines[start + 1 : end]),
            *([seen[end]] if end > start else []),
        ]
    )
    try:
        value = json.loads(source, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    rows, left_out = _list_in(value)
    frames = _frames(rows, names)
    if frames is None:
        return None
    numbers = _lines_of_items(source, rows, lines[start][0])
    (early, talk), (late, more) = split_talk(lines[:start]), split_talk(lines[end + 1 :])
    told = [(number, words) for number, words in zip(numbers, frames[0]) if words]
    return (
        Found(KIND, [*early, *told, *late], (*talk, *left_out, *frames[1], *more)) if told else None
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _list_in(value: Any) -> tuple[list[Any], list[str]]:
    """The list, and the names of its neighbours if it is in an object; empty where there is none,
    or several.
    """
    if isinstance(value, list):
        return value, []
    lists = (
        [name for name, item in value.items() if isinstance(item, list)]
        if isinstance(value, dict)
        else []
    )
    if len(lists) != 1 or any(isinstance(item, dict) for item in value.values()):
        return [], []
    return value[lists[0]], [name for name in value if name != lists[0]]


def _frames(rows: list[Any], names: tuple[str, ...]) -> tuple[list[str], list[str]] | None:
    if rows and all(isinstance(row, str) for row in rows):
        return [one_line(row) for row in rows], []
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    titles = list(dict.fromkeys(title for row in rows for title in row))
    columns = [Column(title, [_text(row.get(title)) for row in rows]) for title in titles]
    texts = [
        column for column in columns if all(isinstance(row.get(column.title), str) for row in rows)
    ]
    return frames_of_columns(columns, texts[0] if len(texts) == 1 else None)


def _text(value: Any) -> str:
    """A field as a cell of a table: a list of names as one text, anything else but a text as
    nothing.
    """
    if isinstance(value, list):
        value = ", ".join(item for item in value if isinstance(item, str))
    return one_line(value) if isinstance(value, str) else ""


def one_line(text: str) -> str:
    return stripped(" ".join(filter(None, map(stripped, LINE_END.split(well_formed(text))))))


def _lines_of_items(source: str, rows: list[Any], first: int) -> list[int]:
    """The line on which each item of the list begins; the list is the source, or the only list of
    it.
    """
    decoder = json.JSONDecoder()
    at = 0
    while source[0] == "{":  # past the members before the list
        _, at = decoder.raw_decode(source, _next(source, at + 1))
        at = _next(source, at, " \t\r\n:")
        value, end = decoder.raw_decode(source, at)
        if isinstance(value, list):
            break
        at = _next(source, end) - 1
    numbers: list[int] = []
    counted, line = 0, first
    for _ in rows:
        at = _next(source, at + 1)
        line += source.count("\n", counted, at)
        counted = at
        numbers.append(line)
        at = decoder.raw_decode(source, at)[1] - 1
    return numbers


def _next(source: str, at: int, skipped: str = " \t\r\n,") -> int:
    while source[at] in skipped:
        at += 1
    return at
