"""A drawn sheet: boxes, arrows, poses, and pictures of the drawn world's characters."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lab.world.render import NAMES, Attributes, Renderer, background

SIZE, FINE = (900, 600), 2  # drawn larger and scaled down, for smooth edges
INK, PAPER, SOFT, THREAD = "#22303c", "#fbf7ee", "#5b6a77", "#e0942b"

Limbs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Figure:
    """One of the drawn world's characters."""

    kind: str = "fox"
    body: str = "red"
    coat: str = "green"
    pattern: str = "plain"


renderer = cache(Renderer)


def drawn(figure: Figure, scene: str, prop: str = "none") -> tuple[np.ndarray, np.ndarray]:
    """uint8 [32, 32, 3] and where the character is, bool [32, 32]."""
    row = {"scene": scene, "prop": prop, **vars(figure)}
    numbers = {name: NAMES[name].index(value) for name, value in row.items()}
    pictures, figures = renderer()(Attributes.stack([{**numbers, "flip": 0}]))
    return pictures[0], figures[0]


def frame(*figures: Figure, scene: str, prop: str = "none") -> Image.Image:
    """A picture with no, one or two characters, 32x32."""
    if len(figures) == 1:
        return Image.fromarray(drawn(figures[0], scene, prop)[0])
    canvas = background(scene).copy()
    for figure, shift in zip(figures, (-8, 8)):
        picture, mask = (np.roll(each, shift, 1) for each in drawn(figure, scene))
        canvas[mask] = picture[mask]
    return Image.fromarray(canvas)


class Card:
    """A sheet of 900x600 with a title, drawn at twice that."""

    def __init__(self, title: str, size: tuple[int, int] = SIZE, paper: str = PAPER):
        self.size = size
        self.sheet = Image.new("RGB", (size[0] * FINE, size[1] * FINE), paper)
        self.draw = ImageDraw.Draw(self.sheet)
        self.text(40, 32, title, 50)

    def text(self, left: float, top: float, text: str, size: int, ink: str = INK) -> None:
        font = ImageFont.load_default(size * FINE)
        self.draw.text((left * FINE, top * FINE), text, font=font, fill=ink)

    def box(self, left: int, top: int, width: int, height: int, *lines: str) -> None:
        """A rounded box with its lines in the middle."""
        corners = [left * FINE, top * FINE, (left + width) * FINE, (top + height) * FINE]
        self.draw.rounded_rectangle(corners, 14 * FINE, "#ffffff", INK, 3 * FINE)
        for number, line in enumerate(lines):
            font = ImageFont.load_default((30 if number == 0 else 24) * FINE)
            x = (left + width / 2) * FINE - self.draw.textlength(line, font) / 2
            y = (top + height / 2 + 36 * (number - len(lines) / 2)) * FINE
            self.draw.text((x, y), line, font=font, fill=INK if number == 0 else SOFT)

    def picture(
        self, picture: Image.Image, left: int, top: int, side: int, label: str = ""
    ) -> None:
        """Pixel art with a border, and a number or a name in its corner."""
        large = picture.resize((side * FINE, side * FINE), Image.Resampling.NEAREST)
        self.sheet.paste(large, (left * FINE, top * FINE))
        corners = [left * FINE, top * FINE, (left + side) * FINE, (top + side) * FINE]
        self.draw.rectangle(corners, outline=INK, width=3 * FINE)
        if label:
            self.tag(label, left, top)

    def tag(self, label: str, left: int, top: int) -> None:
        """A word in the corner of a picture."""
        font = ImageFont.load_default(26 * FINE)
        width = self.draw.textlength(label, font) + 18 * FINE
        x, y = (left + 8) * FINE, (top + 8) * FINE
        self.draw.rounded_rectangle([x, y, x + width, y + 34 * FINE], 8 * FINE, INK)
        self.text(left + 17, top + 10, label, 26, "#ffffff")

    def arrow(self, left: float, top: float, right: float, bottom: float) -> None:
        start, end = np.array([left, top]) * FINE, np.array([right, bottom]) * FINE
        along = (end - start) / np.linalg.norm(end - start)
        across, neck = np.array([-along[1], along[0]]), end - 20 * FINE * along
        self.draw.line([*start, *neck], THREAD, 6 * FINE)
        tip = [end, neck + 12 * FINE * across, neck - 12 * FINE * across]
        self.draw.polygon([tuple(point) for point in tip], THREAD)

    def stick(self, limbs: Limbs, left: int, top: int, side: int, puppet: bool = False) -> None:
        """A pose, on black: a head, a spine and four limbs. As a `puppet`, the same with clothes on
        and whatever is there behind it.
        """

        def at(x: float, y: float) -> tuple[float, float]:
            return (left + x * side) * FINE, (top + y * side) * FINE

        if not puppet:
            self.draw.rectangle([*at(0, 0), *at(1, 1)], "#10161b")
        neck, hip = (0.5, 0.36), (0.5, 0.6)
        inks = ("#ff5a4d", "#ffb84d", "#4dd07a", "#4da3ff")
        if puppet:
            inks = ("#fac83c", "#fac83c", "#3e74dc", "#3e74dc")
        for edge in (10, 0) if puppet else (0,):  # first the outline
            width = (16 if puppet else 4) + edge
            for end, root, ink in zip(limbs, (neck, neck, hip, hip), inks):
                self.draw.line([*at(*root), *at(*end)], INK if edge else ink, width * FINE)
            spine = INK if edge else "#fac83c" if puppet else "#ffffff"
            self.draw.line([*at(*neck), *at(*hip)], spine, (width + 14 * puppet) * FINE)
        head = [*at(0.4, 0.12), *at(0.6, 0.32)]
        self.draw.ellipse(head, "#d83e30" if puppet else "#ffffff", INK, 5 * FINE * puppet)
        for eye in (0.45, 0.53) if puppet else ():
            self.draw.ellipse([*at(eye, 0.2), *at(eye + 0.025, 0.235)], INK)

    def done(self) -> Image.Image:
        return self.sheet.resize(self.size, Image.Resampling.LANCZOS)
