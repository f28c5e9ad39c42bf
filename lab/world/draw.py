"""Flat shapes on a 32x32 grid: masks from polygons and ellipses, parts with closed outlines."""

import numpy as np
from PIL import Image, ImageDraw

SIZE = 32


def mask(paint):
    """Boolean [32, 32] mask of what `paint(ImageDraw, 1)` draws."""
    image = Image.new("L", (SIZE, SIZE), 0)
    paint(ImageDraw.Draw(image), 1)
    return np.asarray(image, dtype=bool)


def poly(*points):
    return mask(lambda d, c: d.polygon(points, fill=c))


def ellipse(x0, y0, x1, y1):
    return mask(lambda d, c: d.ellipse((x0, y0, x1, y1), fill=c))


def box(x0, y0, x1, y1):
    return mask(lambda d, c: d.rectangle((x0, y0, x1, y1), fill=c))


def line(*points, width=1):
    return mask(lambda d, c: d.line(points, fill=c, width=width))


def both(shape):
    """The mask together with its mirror image."""
    return shape | shape[:, ::-1]


def grow(shape):
    """The mask and its four-neighbours."""
    padded = np.pad(shape, 1)
    return shape | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]


def part(canvas, shape, value, outline=None):
    """Paint `shape` with `value` on `canvas` (an index map or an RGB picture), ringed if `outline`
    is given.
    """
    if outline is not None:
        canvas[grow(shape) & ~shape] = outline
    canvas[shape] = value
