"""Backgrounds: RGB pictures [32, 32, 3] uint8 of few flat shapes, with a calm middle for the
character.
"""

import numpy as np

from .draw import SIZE, both, box, ellipse, line, part, poly


def _tree(canvas, x, y, green, trunk):
    part(canvas, box(x + 2, y + 9, x + 3, y + 14), trunk)
    for step in (0, 3, 6):
        part(
            canvas,
            poly((x + 2, y + step), (x + 3, y + step), (x + 5, y + step + 4), (x, y + step + 4)),
            green,
        )


def _house(canvas, x, y, wall, roof):
    part(canvas, box(x + 1, y + 5, x + 7, y + 10), wall)
    part(canvas, poly((x, y + 5), (x + 4, y), (x + 8, y + 5)), roof)
    part(canvas, box(x + 3, y + 7, x + 5, y + 10), (96, 56, 44))


def _sky(canvas, top, low, horizon):
    canvas[: horizon // 2] = top
    canvas[horizon // 2 : horizon] = low


def meadow(c):
    _sky(c, (128, 208, 250), (178, 228, 252), 16)
    part(c, ellipse(1, 1, 7, 7), (255, 226, 92))
    part(c, ellipse(-8, 12, 22, 34) | ellipse(14, 14, 44, 36), (142, 214, 92))
    c[22:] = (112, 192, 74)
    for x, y, colour in (
        (2, 19, (255, 250, 250)),
        (27, 20, (255, 120, 170)),
        (5, 27, (255, 120, 170)),
        (28, 27, (255, 250, 250)),
    ):
        part(
            c,
            box(x, y - 1, x + 2, y + 1)
            & ~(box(x, y - 1, x, y - 1) | box(x + 2, y + 1, x + 2, y + 1)),
            colour,
        )
        c[y, x + 1] = (255, 200, 40)


def snow(c):
    _sky(c, (186, 208, 230), (208, 224, 240), 18)
    for x in (0, 25):
        _tree(c, x, 4, (96, 150, 150), (110, 90, 90))
        part(c, poly((x + 2, 4), (x + 3, 4), (x + 4, 6), (x + 1, 6)), (255, 255, 255))
    c[18:] = (244, 250, 255)
    part(c, ellipse(-6, 14, 12, 26) | ellipse(20, 15, 40, 27), (244, 250, 255))
    part(c, ellipse(3, 27, 29, 33), (210, 226, 244))
    for x, y in ((9, 2), (22, 3), (7, 9), (23, 11)):
        part(c, box(x, y, x + 1, y + 1), (255, 255, 255))


def forest(c):
    c[:] = (40, 96, 64)
    part(c, both(box(0, 0, 3, 24) | box(8, 0, 10, 20)), (92, 62, 48))
    part(c, both(ellipse(-4, -8, 14, 6)), (26, 122, 58))
    part(c, both(ellipse(9, -9, 22, 4)), (52, 150, 70))
    c[22:] = (70, 112, 48)
    part(c, both(ellipse(-3, 18, 5, 26)), (34, 132, 60))


def village(c):
    _sky(c, (150, 214, 248), (196, 232, 250), 16)
    c[14:] = (150, 206, 100)
    _house(c, 0, 5, (252, 232, 196), (206, 84, 60))
    _house(c, 23, 5, (240, 214, 180), (182, 66, 70))
    c[21:29] = (70, 158, 236)
    part(
        c,
        box(2, 23, 7, 23) | box(23, 24, 29, 24) | box(4, 27, 8, 27) | box(25, 27, 28, 27),
        (178, 222, 252),
    )
    c[29:] = (112, 180, 76)


def beach(c):
    _sky(c, (92, 204, 246), (140, 222, 250), 12)
    c[12:20] = (30, 140, 210)
    part(c, box(1, 14, 6, 14) | box(24, 16, 29, 16), (160, 220, 248))
    c[20:] = (248, 222, 150)
    c[20] = (255, 252, 240)
    part(c, line((27, 20), (29, 8), width=2), (140, 96, 58))
    part(
        c,
        line((29, 6), (22, 8), width=2)
        | line((29, 6), (24, 3), width=2)
        | line((29, 5), (31, 10), width=2),
        (48, 156, 72),
    )
    part(c, ellipse(1, 26, 5, 29), (255, 150, 140))


def city(c):
    c[:] = (52, 50, 108)
    part(c, ellipse(2, 1, 8, 7), (255, 244, 190))
    part(c, both(box(0, 8, 6, 25) | box(8, 12, 12, 25)), (84, 82, 150))
    part(
        c,
        both(
            box(1, 10, 2, 12)
            | box(4, 10, 5, 12)
            | box(1, 15, 2, 17)
            | box(4, 15, 5, 17)
            | box(9, 15, 10, 17)
        ),
        (255, 218, 96),
    )
    c[24:] = (74, 72, 84)
    part(c, box(1, 28, 7, 28) | box(24, 28, 30, 28), (236, 224, 150))


def desert(c):
    _sky(c, (255, 196, 120), (255, 218, 150), 18)
    part(c, ellipse(2, 2, 9, 9), (255, 246, 190))
    part(c, poly((17, 19), (25, 7), (33, 19)), (222, 156, 82))
    part(c, poly((25, 7), (33, 19), (26, 19)), (196, 126, 66))
    c[18:] = (240, 184, 102)
    part(c, ellipse(-8, 22, 20, 44), (230, 166, 84))
    part(
        c,
        box(3, 12, 5, 23)
        | box(1, 15, 1, 18)
        | box(1, 18, 5, 19)
        | box(7, 13, 7, 16)
        | box(4, 16, 7, 17),
        (58, 140, 78),
    )


def mountains(c):
    _sky(c, (196, 176, 232), (232, 206, 232), 18)
    part(c, poly((-4, 24), (6, 3), (17, 24)), (112, 106, 146))
    part(c, poly((14, 24), (26, 5), (37, 24)), (132, 124, 164))
    part(
        c,
        poly((6, 3), (9, 9), (6, 8), (3, 9)) | poly((26, 5), (29, 11), (26, 9), (23, 10)),
        (255, 255, 255),
    )
    c[22:] = (98, 122, 110)
    part(c, both(poly((0, 29), (2, 24), (5, 29))), (84, 80, 104))


def library(c):
    c[:] = (176, 120, 76)
    part(c, both(box(0, 1, 9, 21)), (104, 62, 42))
    for row, shelf in enumerate((2, 9, 16)):
        for slot in range(4):
            colour = ((200, 64, 64), (70, 150, 110), (230, 184, 80), (74, 110, 180))[
                (slot + row) % 4
            ]
            part(c, both(box(1 + 2 * slot, shelf, 2 + 2 * slot, shelf + 4)), colour)
    part(c, box(12, 2, 19, 12), (255, 240, 170))
    c[22:] = (140, 60, 60)
    c[22] = (88, 50, 36)


def moon(c):
    c[:] = (24, 20, 56)
    part(c, ellipse(23, 2, 30, 9), (88, 160, 232))
    part(c, ellipse(25, 3, 28, 6), (110, 206, 130))
    part(
        c,
        box(3, 4, 4, 5) | box(9, 1, 10, 2) | box(1, 13, 2, 14) | box(27, 14, 28, 15),
        (255, 255, 220),
    )
    part(c, ellipse(-8, 20, 40, 50), (188, 188, 200))
    part(c, ellipse(1, 25, 7, 28) | ellipse(25, 24, 31, 27), (146, 146, 164))


SCENES = {
    "meadow": meadow,
    "snow": snow,
    "forest": forest,
    "village": village,
    "beach": beach,
    "city": city,
    "desert": desert,
    "mountains": mountains,
    "library": library,
    "moon": moon,
}
SCENE_NAMES = tuple(SCENES)


def background(name):
    """RGB uint8 [32, 32, 3] of a scene."""
    canvas = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    SCENES[name](canvas)
    return canvas
