"""The cast: one material map [32, 32] uint8 per kind, coat pattern and headwear."""

import numpy as np

from .draw import SIZE, both, box, ellipse, line, part, poly
from .palette import (
    ACCENT,
    BODY,
    COAT,
    DARK,
    LIGHT,
    METAL,
    NONE,
    OUTLINE,
    PATTERNS,
    PINK,
    SHADE,
    SKIN,
    TRIM,
)


def _add(canvas, shape, material):
    part(canvas, shape, material, OUTLINE)


def _eyes(canvas, x, y, height=2):
    part(canvas, both(box(x, y, x + 1, y + height)), DARK)
    canvas[y, [x + 1, SIZE - 1 - x]] = LIGHT


def _coat(canvas, shape, sleeve, hand):
    """A coat with sleeves and hands in the body's colour (`hand` is a material)."""
    _add(canvas, shape, COAT)
    _add(canvas, both(sleeve), COAT)
    _add(canvas, both(box(7, 24, 8, 25)), hand)


def _feet(canvas, material, x=10):
    _add(canvas, both(box(x, 28, x + 3, 29)), material)


def fox(canvas, hatted):
    _add(canvas, ellipse(21, 14, 29, 28), BODY)
    part(canvas, ellipse(22, 14, 28, 18), LIGHT)
    _feet(canvas, SHADE)
    _coat(
        canvas,
        poly((11, 18), (20, 18), (22, 27), (9, 27)),
        poly((9, 19), (10, 19), (9, 23), (7, 23)),
        BODY,
    )
    _add(canvas, both(poly((6, 2), (5, 11), (13, 7))), BODY)
    part(canvas, both(poly((7, 5), (7, 8), (9, 7))), DARK)
    _add(canvas, both(poly((8, 7), (15, 6), (15, 18), (13, 18), (4, 13))), BODY)
    part(canvas, both(poly((5, 14), (11, 14), (15, 16), (15, 18), (13, 18))), LIGHT)
    _eyes(canvas, 10, 10)
    part(canvas, box(14, 15, 17, 16), DARK)


def cat(canvas, hatted):
    part(canvas, line((23, 27), (27, 26), (29, 21), (27, 17), (28, 14), width=4), OUTLINE)
    part(canvas, line((23, 27), (27, 26), (29, 21), (27, 17), (28, 15), width=2), BODY)
    _feet(canvas, BODY, 11)
    _coat(
        canvas,
        poly((12, 18), (19, 18), (21, 27), (10, 27)),
        poly((9, 19), (11, 19), (10, 23), (7, 23)),
        BODY,
    )
    _add(canvas, both(poly((7, 3), (7, 10), (12, 7))), BODY)
    part(canvas, both(poly((8, 6), (8, 8), (10, 7))), PINK)
    _add(canvas, ellipse(6, 6, 25, 18), BODY)
    part(canvas, both(line((15, 6), (15, 8)) | line((12, 7), (12, 8))), SHADE)
    part(canvas, ellipse(11, 13, 20, 18), LIGHT)
    part(canvas, both(line((1, 12), (6, 13)) | line((1, 16), (6, 15))), OUTLINE)
    _eyes(canvas, 10, 10)
    part(canvas, box(15, 14, 16, 14), PINK)
    part(canvas, both(box(15, 15, 15, 15) | line((13, 15), (14, 16))), DARK)


def rabbit(canvas, hatted):
    _add(canvas, ellipse(22, 22, 27, 27), LIGHT)
    _add(canvas, both(ellipse(8, 27, 14, 29)), BODY)
    _coat(
        canvas,
        ellipse(9, 17, 22, 27) | box(11, 24, 20, 27),
        poly((9, 19), (10, 19), (9, 23), (7, 23)),
        BODY,
    )
    _add(canvas, both(ellipse(9, 0, 13, 11)), BODY)
    part(canvas, both(ellipse(10, 2, 12, 9)), PINK)
    _add(canvas, ellipse(8, 8, 23, 18), BODY)
    part(canvas, both(ellipse(11, 13, 15, 17)), LIGHT)
    _eyes(canvas, 10, 11)
    part(canvas, box(15, 13, 16, 14), PINK)
    part(canvas, box(15, 17, 16, 19), LIGHT)


def robot(canvas, hatted):
    if not hatted:
        _add(canvas, box(15, 3, 16, 6), METAL)
        _add(canvas, box(14, 1, 17, 3), ACCENT)
    _add(canvas, both(box(10, 27, 13, 29)), METAL)
    _add(canvas, box(9, 19, 22, 26), COAT)
    _add(canvas, both(box(5, 19, 7, 23)), COAT)
    _add(canvas, both(box(4, 24, 7, 26)), METAL)
    _add(canvas, both(box(5, 10, 6, 13)), METAL)
    _add(canvas, box(8, 6, 23, 17), BODY)
    part(canvas, box(10, 8, 21, 13), DARK)
    part(canvas, both(box(11, 9, 13, 12)), METAL)
    part(canvas, both(box(12, 10, 12, 11)), LIGHT)
    part(canvas, box(11, 15, 20, 16), LIGHT)
    part(canvas, both(box(12, 15, 12, 16) | box(14, 15, 14, 16)), DARK)


def bird(canvas, hatted):
    part(canvas, both(box(11, 28, 12, 30) | box(9, 30, 13, 30)), ACCENT)
    _add(canvas, both(ellipse(3, 14, 9, 25)), SHADE)
    if not hatted:
        _add(canvas, poly((13, 1), (16, 6), (13, 6)) | poly((19, 1), (18, 6), (15, 6)), BODY)
    _add(canvas, ellipse(7, 5, 24, 28), BODY)
    lower = ellipse(7, 5, 24, 28)
    lower[:19] = False
    part(canvas, lower, COAT)
    part(canvas, both(line((7, 18), (15, 18))), OUTLINE)
    _add(canvas, both(ellipse(9, 8, 14, 13)), LIGHT)
    part(canvas, both(box(11, 10, 12, 12)), DARK)
    _add(canvas, poly((12, 13), (19, 13), (16, 17), (15, 17)), ACCENT)


def dragon(canvas, hatted):
    _add(canvas, both(poly((10, 19), (1, 7), (0, 20), (3, 18), (5, 22), (8, 20))), SHADE)
    _add(canvas, poly((21, 26), (28, 27), (30, 23), (31, 28), (27, 30), (21, 29)), BODY)
    _feet(canvas, BODY, 9)
    _coat(
        canvas,
        poly((11, 18), (20, 18), (22, 27), (9, 27)),
        poly((9, 19), (10, 19), (9, 23), (7, 23)),
        BODY,
    )
    _add(canvas, both(poly((9, 8), (7, 1), (12, 6))), ACCENT)
    if not hatted:
        _add(canvas, poly((13, 6), (15, 2), (16, 2), (18, 6)), SHADE)
    _add(canvas, box(9, 6, 22, 13) | box(10, 5, 21, 14), BODY)
    _add(canvas, ellipse(8, 12, 23, 19), BODY)
    part(canvas, both(box(11, 14, 12, 15)), DARK)
    part(canvas, both(box(10, 18, 11, 18) | box(13, 18, 13, 18)), LIGHT)
    part(canvas, both(box(11, 8, 12, 10)), LIGHT)
    part(canvas, both(box(12, 8, 12, 10)), DARK)


def wizard(canvas, hatted):
    _add(canvas, both(box(11, 28, 14, 29)), BODY)
    _add(canvas, poly((11, 16), (20, 16), (25, 28), (6, 28)), COAT)
    _add(canvas, both(poly((9, 18), (4, 23), (6, 26), (11, 21))), BODY)
    _add(canvas, both(box(4, 25, 5, 26)), SKIN)
    _add(canvas, ellipse(9, 7, 22, 18), SKIN)
    _add(canvas, poly((9, 15), (22, 15), (20, 19), (16, 22), (15, 22), (11, 19)), LIGHT)
    part(canvas, both(box(11, 11, 12, 13)), DARK)
    part(canvas, box(14, 13, 17, 15), SKIN)
    part(canvas, box(14, 17, 17, 17), PINK)
    if not hatted:
        _add(canvas, poly((10, 7), (14, 0), (19, 0), (17, 2), (21, 7)), BODY)
        _add(canvas, poly((4, 7), (27, 7), (24, 9), (7, 9)), BODY)
        part(canvas, box(10, 6, 21, 6), ACCENT)


KINDS = {
    "fox": fox,
    "cat": cat,
    "rabbit": rabbit,
    "robot": robot,
    "bird": bird,
    "dragon": dragon,
    "wizard": wizard,
}
KIND_NAMES = tuple(KINDS)


def _pattern(canvas, name):
    """Lay stripes or spots over the coat, in place."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    if name == "striped":
        motif = (rows - 19) % 4 >= 2
    elif name == "spotted":
        shifted = columns + 2 * ((rows - 19) // 4 % 2)
        motif = ((rows - 19) % 4 < 2) & (shifted % 4 < 2)
    else:
        return
    canvas[(canvas == COAT) & motif] = TRIM


def character_map(kind, pattern, hatted):
    """Material map [32, 32] uint8 of a kind; `hatted` leaves out what a worn hat would hide."""
    canvas = np.full((SIZE, SIZE), NONE, dtype=np.uint8)
    KINDS[kind](canvas, hatted)
    _pattern(canvas, pattern)
    return canvas


def all_maps():
    """Maps of the whole cast: uint8 [kinds, patterns, 2 (bare, hatted), 32, 32]."""
    return np.stack(
        [
            [
                [character_map(kind, pattern, hatted) for hatted in (False, True)]
                for pattern in PATTERNS
            ]
            for kind in KIND_NAMES
        ]
    )
