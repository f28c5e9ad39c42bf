"""A dose-response picture: panels of strength against a measure, with error bars. Drawn by Pillow
at twice its size, then halved.
"""

import math

from PIL import Image, ImageDraw

from sheet.fonts import font_for

Points = list[tuple[float, float, float]]  # strength, mean, standard error

FINE = 2
PANEL, SPACE, LEFT, TOP, BOTTOM = (430, 250), 26, 62, 30, 34
COLOURS, MARKS = (
    ("#1f5fa8", "#c2571a", "#2f8a4c", "#7b3fa0"),
    ("circle", "square", "triangle", "circle"),
)
INK, GRID, PAPER = "#222222", "#dddddd", "#ffffff"
TICKS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
ZERO = 0.4  # where strength 0 stands on the logarithmic axis


def draw_doses(panels: dict[str, dict[str, Points]], columns: int = 2) -> Image.Image:
    """One panel a title, one line a series. Bars are one standard error up and down; a grey line is
    0.
    """
    rows = math.ceil(len(panels) / columns)
    names = list(next(iter(panels.values())))
    width = columns * (PANEL[0] + SPACE) + SPACE
    height = rows * (PANEL[1] + SPACE) + SPACE + 28
    sheet = Image.new("RGB", (width * FINE, height * FINE), PAPER)
    draw = ImageDraw.Draw(sheet)
    _legend(draw, names)
    for index, (title, series) in enumerate(panels.items()):
        left = SPACE + index % columns * (PANEL[0] + SPACE)
        top = SPACE + 28 + index // columns * (PANEL[1] + SPACE)
        _panel(draw, title, series, left, top, names)
    return sheet.resize((width, height), Image.Resampling.LANCZOS)


def _panel(
    draw: ImageDraw.ImageDraw,
    title: str,
    series: dict[str, Points],
    left: int,
    top: int,
    names: list[str],
) -> None:
    box = (left + LEFT, top + TOP, left + PANEL[0] - 8, top + PANEL[1] - BOTTOM)
    points = [point for line in series.values() for point in line]
    _text(draw, (left + LEFT, top + 4), title, 15)
    if not points:
        return
    strengths = sorted({point[0] for point in points})
    low, high = (
        min(mean - error for _, mean, error in points),
        max(mean + error for _, mean, error in points),
    )
    low, high = (min(low, 0.0), max(high, 0.0)) if low < 0.5 else (low, high)
    room = 0.08 * (high - low) or 0.01
    low, high = low - room, high + room
    first, last = _place(strengths[0]), _place(strengths[-1])

    def x(strength: float) -> float:
        return (
            box[0]
            + 14
            + (_place(strength) - first) / max(last - first, 1e-9) * (box[2] - box[0] - 28)
        )

    def y(value: float) -> float:
        return box[3] - (value - low) / (high - low) * (box[3] - box[1])

    values = _steps(low, high)
    digits = 3 if all(round(value, 3) == value for value in values) else 4
    for value in values:
        _line(draw, [(box[0], y(value)), (box[2], y(value))], "#999999" if value == 0 else GRID, 1)
        _text(draw, (box[0] - 6, y(value)), f"{value:{'+' if low < 0 else ''}.{digits}f}", 12, "rm")
    for tick in (tick for tick in TICKS if strengths[0] <= tick <= strengths[-1]):
        _line(draw, [(x(tick), box[3]), (x(tick), box[3] + 4)], INK, 1)
        _text(draw, (x(tick), box[3] + 7), f"{tick:g}", 12, "mt")
    draw.rectangle([FINE * side for side in box], outline=INK, width=FINE)
    for number, (name, line) in enumerate(series.items()):
        shift = 3 * (
            number - (len(series) - 1) / 2
        )  # so that bars at one strength do not hide each other
        colour = COLOURS[names.index(name)]
        places = [
            (x(strength) + shift, y(mean), y(mean - error), y(mean + error))
            for strength, mean, error in line
        ]
        _line(draw, [place[:2] for place in places], colour, 2)
        for across, middle, lower, upper in places:
            _line(draw, [(across, lower), (across, upper)], colour, 2)
            for end in (lower, upper):
                _line(draw, [(across - 4, end), (across + 4, end)], colour, 2)
            _mark(draw, across, middle, MARKS[names.index(name)], colour)


def _place(strength: float) -> float:
    return math.log(strength or ZERO)


def _steps(low: float, high: float) -> list[float]:
    """Four to eight round values between the two."""
    size = 10 ** math.floor(math.log10(high - low))
    step = next(
        step
        for step in (size / 10, size / 5, size / 4, size / 2, size, 2 * size)
        if (high - low) / step <= 8
    )
    return [
        round(step * number, 10)
        for number in range(math.ceil(low / step), math.floor(high / step) + 1)
    ]


def _legend(draw: ImageDraw.ImageDraw, names: list[str]) -> None:
    left = SPACE + LEFT
    for number, name in enumerate(names):
        _line(draw, [(left, SPACE), (left + 30, SPACE)], COLOURS[number], 2)
        _mark(draw, left + 15, SPACE, MARKS[number], COLOURS[number])
        _text(draw, (left + 38, SPACE), name, 15, "lm")
        left += 70 + round(font_for(name, 15)[0].getlength(name))
    _text(draw, (left, SPACE), "across: strength; 0 is SVR alone", 15, "lm")


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, mark: str, colour: str) -> None:
    r = 4.5
    if mark == "triangle":
        draw.polygon(
            [
                (FINE * (x + dx), FINE * (y + dy))
                for dx, dy in ((0, -r - 1), (r + 1, r), (-r - 1, r))
            ],
            fill=colour,
        )
        return
    shape = draw.ellipse if mark == "circle" else draw.rectangle
    shape([FINE * (x - r), FINE * (y - r), FINE * (x + r), FINE * (y + r)], fill=colour)


def _line(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], colour: str, width: int
) -> None:
    if len(points) > 1:
        draw.line([(FINE * x, FINE * y) for x, y in points], fill=colour, width=FINE * width)


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, anchor: str = "lt"
) -> None:
    draw.text(
        (FINE * place[0], FINE * place[1]),
        text,
        font=font_for(text, FINE * size)[0],
        fill=INK,
        anchor=anchor,
    )
