"""The matrix of likeness with thumbnails, the odd picture marked: one look shows which frame to
render again.
"""

import math

import torch
from PIL import Image, ImageDraw

from ..sheet.fonts import font_for
from .likeness import to_others
from .report import Score

MATRIX = 1280  # about how large the matrix may get
CELL = (6, 112)
READABLE = 36  # cells from this size on hold their number
PAPER, INK, FAINT, MARK = "#ffffff", "#1c1c1c", "#8a8a8a", "#d4351c"
LOW, HIGH = (247, 243, 220), (17, 94, 116)  # unlike, alike
MARGIN = 20
SPREAD = 0.1  # the colours cover at least this much, so that pictures that are all alike look so


def draw_chart(thumbnails: list[Image.Image], score: Score) -> Image.Image:
    """RGB chart: thumbnails above and left of the matrix, each picture's mean likeness, fit,
    likeness to the reference, gain and colours right of it.

    `thumbnails` are small pictures, one per row of the matrix; cells shrink with their number, from
    36 pixels on they hold no numbers any more.
    """
    count = len(thumbnails)
    cell = max(CELL[0], min(CELL[1], MATRIX // (count + 1)))
    size = max(12, min(20, cell // 4)) if cell >= READABLE else 14
    head = 4 * size
    columns = (["mean"] if count > 1 else []) + (["fit"] if score.fits is not None else [])
    columns += ["ref"] if score.to_reference is not None else []
    columns += ["gain"] if score.gains is not None else []
    columns += ["colours"] if score.colours is not None and count > 1 else []
    side = (count + 1) * cell
    aside = len(columns) * max(cell, 4 * size)
    width = max(side + aside, 26 * size, _length(_title(score), round(1.6 * size))) + 2 * MARGIN
    chart = Image.new("RGB", (width, head + side + 2 * MARGIN + 2 * size), PAPER)
    draw = ImageDraw.Draw(chart)
    _heading(draw, score, size)
    left, top = MARGIN + cell, MARGIN + head + cell
    _thumbnails(chart, draw, thumbnails, (left, top), cell, size)
    low, high = _range(score.likeness)
    for row, values in enumerate(score.likeness.tolist()):
        for column, value in enumerate(values):
            box = (left + column * cell, top + row * cell)
            _cell(draw, value, box, cell, size, (low, high), own=row == column)
    _aside(draw, score, columns, (left + count * cell, top), cell, size)
    _mark_odd(draw, score.odd, (left, top), cell, count)
    if count > 1:
        _legend(draw, (MARGIN, top + count * cell + size // 2), (low, high), size)
    return chart


def _title(score: Score) -> str:
    parts = [f"likeness {score.mean_likeness:.3f}" if len(score.likeness) > 1 else "one picture"]
    parts += [f"fit {score.mean_fit:.3f}"] if score.fits is not None else []
    parts += (
        [f"reference {score.to_reference.mean():.3f}"] if score.to_reference is not None else []
    )
    parts += (
        [f"baseline {score.mean_baseline:.3f}", f"gain {score.gain:.2f}"]
        if not math.isnan(score.gain)
        else []
    )
    parts += [] if math.isnan(score.mean_colours) else [f"colours {score.mean_colours:.3f}"]
    return "    ".join(parts)


def _heading(draw: ImageDraw.ImageDraw, score: Score, size: int) -> None:
    _text(draw, (MARGIN, MARGIN), _title(score), round(1.6 * size), INK)
    odd = f"odd one: {score.odd + 1}" if score.odd is not None else "odd one: none"
    _text(
        draw,
        (MARGIN, MARGIN + round(2.1 * size)),
        odd,
        round(1.2 * size),
        MARK if score.odd is not None else FAINT,
    )


def _thumbnails(
    chart: Image.Image,
    draw: ImageDraw.ImageDraw,
    thumbnails: list[Image.Image],
    corner: tuple[int, int],
    cell: int,
    size: int,
) -> None:
    gap = 1 if cell < READABLE else 3
    inside = max(1, cell - 2 * gap)
    for index, picture in enumerate(thumbnails):
        small = picture.copy()
        small.thumbnail((inside, inside), Image.Resampling.LANCZOS)
        if max(small.size) < inside:
            scale = inside / max(small.size)
            small = small.resize(
                (round(small.width * scale), round(small.height * scale)), Image.Resampling.NEAREST
            )
        shift = gap + (inside - small.width) // 2, gap + (inside - small.height) // 2
        for left, top in (
            (corner[0] + index * cell, corner[1] - cell),
            (corner[0] - cell, corner[1] + index * cell),
        ):
            chart.paste(small, (left + shift[0], top + shift[1]))
            if cell >= READABLE:
                tag = (
                    left + gap,
                    top + gap,
                    left + gap + round(1.5 * size),
                    top + gap + round(1.3 * size),
                )
                draw.rectangle(tag, fill=PAPER)
                _text(
                    draw,
                    ((tag[0] + tag[2]) // 2, (tag[1] + tag[3]) // 2),
                    str(index + 1),
                    size,
                    INK,
                    "mm",
                )


def _cell(
    draw: ImageDraw.ImageDraw,
    value: float,
    place: tuple[int, int],
    cell: int,
    size: int,
    scale: tuple[float, float],
    own: bool,
) -> None:
    gap = 0 if cell < READABLE else 1
    box = (place[0] + gap, place[1] + gap, place[0] + cell - 1 - gap, place[1] + cell - 1 - gap)
    if own:
        draw.rectangle(box, fill="#ececec")
        return
    share = (value - scale[0]) / (scale[1] - scale[0])
    draw.rectangle(box, fill=_colour(share))
    if cell >= READABLE:
        middle = (place[0] + cell // 2, place[1] + cell // 2)
        _text(
            draw,
            middle,
            _short(value, 2 if cell < 3 * size else 3),
            size,
            "#ffffff" if share > 0.5 else INK,
            "mm",
        )


def _aside(
    draw: ImageDraw.ImageDraw,
    score: Score,
    columns: list[str],
    corner: tuple[int, int],
    cell: int,
    size: int,
) -> None:
    """Each picture's mean likeness to the others, fit, likeness to the reference, gain and colours:
    numbers where they can be read, else bars.
    """
    values = {"mean": to_others(score.likeness).tolist()}
    values["fit"] = [] if score.fits is None else score.fits.diagonal().tolist()
    values["ref"] = [] if score.to_reference is None else score.to_reference.tolist()
    values["gain"] = [] if score.gains is None else score.gains.tolist()
    values["colours"] = [] if score.colours is None else to_others(score.colours).tolist()
    marked = {"mean": score.odd, "ref": score.least_like_reference}
    marked["colours"] = score.least_in_colours
    wide = max(cell, 4 * size)
    for number, name in enumerate(columns):
        left = corner[0] + number * wide
        _text(draw, (left + wide // 2, corner[1] - size), name, size, FAINT, "mm")
        low, high = min(*values[name], max(values[name]) - SPREAD), max(values[name])
        for row, value in enumerate(values[name]):
            top = corner[1] + row * cell
            if cell >= READABLE:
                told = f"{value:.2f}" if name == "gain" else f"{value:.3f}"
                _text(
                    draw,
                    (left + wide // 2, top + cell // 2),
                    told,
                    size,
                    MARK if row == marked.get(name) else INK,
                    "mm",
                )
            else:
                share = (value - low) / (high - low) if high > low else 1.0
                colour = MARK if row == marked.get(name) else _colour(1.0)
                draw.rectangle(
                    (left + 6, top + 1, left + 8 + round(share * (wide - 14)), top + cell - 2),
                    fill=colour,
                )


def _mark_odd(
    draw: ImageDraw.ImageDraw, odd: int | None, corner: tuple[int, int], cell: int, count: int
) -> None:
    if odd is None:
        return
    line = max(2, cell // 24)
    left, top = corner
    side = count * cell
    draw.rectangle(
        (left - cell, top + odd * cell, left + side - 1, top + (odd + 1) * cell - 1),
        outline=MARK,
        width=line,
    )
    draw.rectangle(
        (left + odd * cell, top - cell, left + (odd + 1) * cell - 1, top + side - 1),
        outline=MARK,
        width=line,
    )


def _legend(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], scale: tuple[float, float], size: int
) -> None:
    left, top = place
    low = f"less alike {scale[0]:.3f}"
    _text(draw, (left, top + size // 2), low, size, FAINT, "lm")
    left += _length(low, size) + size
    for step in range(60):
        draw.rectangle(
            (left + 2 * step, top, left + 2 * step + 1, top + size), fill=_colour(step / 59)
        )
    _text(
        draw, (left + 120 + size, top + size // 2), f"{scale[1]:.3f} more alike", size, FAINT, "lm"
    )


def _range(likeness: torch.Tensor) -> tuple[float, float]:
    """Lowest and highest likeness of two pictures, at least SPREAD apart."""
    first, second = torch.triu_indices(len(likeness), len(likeness), offset=1)
    pairs = likeness[first, second]
    low, high = (float(pairs.min()), float(pairs.max())) if len(pairs) else (0.0, 1.0)
    return min(low, high - SPREAD), high


def _colour(share: float) -> tuple[int, ...]:
    share = min(1.0, max(0.0, share))
    return tuple(round(a + (b - a) * share) for a, b in zip(LOW, HIGH))


def _short(value: float, digits: int) -> str:
    """.87 for 0.87, so that it fits a small cell."""
    text = f"{value:.{digits}f}"
    return (
        text.replace("0.", ".", 1)
        if math.fabs(value) < 1 and not text.lstrip("-").startswith("1")
        else text
    )


def _length(text: str, size: int) -> int:
    return round(font_for(text, size)[0].getlength(text))


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: str,
    anchor: str = "lt",
) -> None:
    draw.text(place, text, font=font_for(text, size)[0], fill=ink, anchor=anchor)
