"""A table as text: CSV with commas or semicolons, or the tabs that a spreadsheet puts on the
clipboard.
"""

import re

from .columns import CAST_TITLES, Column, frames_of_columns, is_frame_title
from .items import Found, Line
from .json_list import one_line
from .marks import INVISIBLE, stripped

KIND = "table"
SEPARATOR_LINE = re.compile(r"sep=([,;\t])", re.IGNORECASE)  # Excel writes and reads it
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
DELIMITERS = "\t;,"
MAX_COLUMNS = 64

Cells = list[tuple[int, list[str]]]  # each row's first line, and its cells


def read_table(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """A header that names the frames' column, and rows of as many cells each; or one column with
    line breaks in quotes.
    """
    start = next((place for place, (_, raw) in enumerate(lines) if stripped(raw)), None)
    if start is None:
        return None
    text = [(lines[start][0], _from_the_first_cell(lines[start][1])), *lines[start + 1 :]]
    announced = SEPARATOR_LINE.fullmatch(text[0][1])
    text = text[1:] if announced else text
    quoted = any(raw.startswith('"') for _, raw in text)
    for delimiter in announced[1] if announced else DELIMITERS:
        if not text or not (quoted or delimiter in text[0][1] or is_frame_title(text[0][1])):
            continue
        found = _table(text, delimiter)
        if found is not None:
            return found
    return None


def _from_the_first_cell(line: str) -> str:
    """Without the byte order mark before a file's first cell, but with its tabs: an empty cell is
    one.
    """
    return line.lstrip("".join(INVISIBLE))


def _table(lines: list[Line], delimiter: str) -> Found | None:
    rows = _rows(lines, delimiter)
    if rows is None or len(rows) < 2:
        return None
    (first, header), *body = rows
    width = len(header)
    if width > MAX_COLUMNS or any(len(cells) != width for _, cells in body):
        return None
    if width == 1:
        return _one_column(rows)
    columns = [
        Column(stripped(title), [one_line(cells[place]) for _, cells in body])
        for place, title in enumerate(header)
    ]
    titled = any(is_frame_title(title) for title in header)
    texts = [column for column in columns if column.has_words and column.name not in CAST_TITLES]
    with_cast = any(column.name in CAST_TITLES for column in columns)
    if not (titled or (with_cast and delimiter == "\t" and len(texts) == 1)) or _is_prose(
        lines[0][1], delimiter
    ):
        return None
    frames = frames_of_columns(columns, texts[0] if len(texts) == 1 else None)
    if frames is None:
        return None
    told = [(number, words) for (number, _), words in zip(body, frames[0]) if words]
    return Found(KIND, told, tuple(frames[1])) if told else None


def _one_column(rows: Cells) -> Found | None:
    """The only column: with a title that says what it is, or without one where a cell has line
    breaks.
    """
    titled = is_frame_title(rows[0][1][0])
    if not titled and not any("\n" in stripped(cells[0]) for _, cells in rows):
        return None
    told = [(number, words) for number, cells in rows[titled:] if (words := one_line(cells[0]))]
    return Found(KIND, told, ()) if told else None


def _is_prose(header: str, delimiter: str) -> bool:
    """`text, neon sign`: a program writes no space after a comma, a person does."""
    return delimiter != "\t" and f"{delimiter} " in header


def _rows(lines: list[Line], delimiter: str) -> Cells | None:
    """Rows of cells, each with its first line's number; quotes hold line breaks and, doubled,
    quotes. None where one stays open.
    """
    text = "\n".join(raw for _, raw in lines) + "\n"
    plain = re.compile(rf"[^{delimiter}\n]*")
    rows: Cells = []
    cells: list[str] = []
    at, place, line = 0, 0, 0
    while at < len(text):
        quoted = text[at] == '"'
        match = (QUOTED if quoted else plain).match(text, at)
        if match is None:
            return None
        cells.append(match[1].replace('""', '"') if quoted else match[0])
        at = match.end()
        line += match[0].count("\n")
        if text[at] not in (delimiter, "\n"):
            return None
        if text[at] == "\n":
            if len(cells) > 1 or stripped(cells[0]):
                rows.append((lines[place][0], cells))
            cells, line = [], line + 1
            place = line
        at += 1
    return rows
