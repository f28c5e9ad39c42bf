"""Props: RGBA overlays [32, 32, 4] uint8 in colours that no body or coat has, large enough to
read.
"""

import numpy as np

from .draw import SIZE, box, ellipse, line, part, poly
from .palette import FIXED, OUTLINE

INK = FIXED[OUTLINE] + (255,)
ORANGE = (255, 140, 36, 255)
CREAM = (255, 238, 196, 255)
MAGENTA = (238, 58, 140, 255)
TEAL = (24, 176, 176, 255)
STRAW = (238, 196, 112, 255)
BROWN = (150, 92, 48, 255)
BERRY = (204, 24, 72, 255)


def _add(canvas, shape, colour):
    part(canvas, shape, colour, INK)


def scarf(canvas):
    _add(canvas, box(18, 19, 21, 27), ORANGE)
    part(canvas, box(18, 22, 21, 23) | box(18, 26, 21, 27), CREAM)
    _add(canvas, ellipse(8, 16, 23, 20), ORANGE)
    part(
        canvas,
        ellipse(8, 16, 23, 20) & (box(11, 0, 12, 31) | box(15, 0, 16, 31) | box(19, 0, 20, 31)),
        CREAM,
    )


def hat(canvas):
    _add(canvas, ellipse(10, 0, 21, 12) & box(0, 0, 31, 6), STRAW)
    _add(canvas, ellipse(5, 5, 26, 9), STRAW)
    part(canvas, box(10, 3, 21, 5), TEAL)


def umbrella(canvas):
    _add(canvas, box(26, 9, 26, 26), STRAW)
    canopy = ellipse(17, 1, 35, 17) & box(0, 0, 31, 8)
    _add(canvas, canopy, TEAL)
    part(canvas, canopy & poly((26, 1), (27, 1), (29, 8), (24, 8)), CREAM)


def balloon(canvas):
    part(canvas, line((27, 11), (26, 16), (24, 24)), INK)
    _add(canvas, ellipse(22, 0, 30, 10), MAGENTA)
    part(canvas, box(24, 2, 25, 4), CREAM)


def berries(canvas):
    for x, y in ((2, 19), (5, 18), (8, 19)):
        _add(canvas, box(x, y, x + 2, y + 2), BERRY)
        canvas[y, x] = CREAM
    _add(canvas, poly((1, 22), (11, 22), (10, 29), (2, 29)), BROWN)
    part(canvas, box(1, 22, 11, 23), STRAW)
    part(canvas, box(3, 26, 9, 26), STRAW)


def ball(canvas):
    disc = ellipse(0, 19, 10, 29)
    _add(canvas, disc, CREAM)
    part(canvas, disc & poly((0, 19), (5, 24), (0, 29)), MAGENTA)
    part(canvas, disc & poly((10, 19), (5, 24), (10, 29)), TEAL)


def book(canvas):
    _add(canvas, box(1, 19, 11, 29), MAGENTA)
    part(canvas, box(1, 27, 11, 28), CREAM)
    part(canvas, box(2, 19, 2, 26), BERRY)
    part(canvas, box(5, 21, 9, 24), STRAW)


PROPS = {
    "none": None,
    "scarf": scarf,
    "hat": hat,
    "umbrella": umbrella,
    "balloon": balloon,
    "berries": berries,
    "ball": ball,
    "book": book,
}
PROP_NAMES = tuple(PROPS)


def overlay(name):
    """RGBA uint8 [32, 32, 4] of a prop; alpha is 0 or 255."""
    canvas = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
    if PROPS[name]:
        PROPS[name](canvas)
    return canvas
