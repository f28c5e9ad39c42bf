"""Colours of the drawn world. All colours are 8-bit RGB triples."""

import numpy as np

COLOURS = {
    "red": (216, 62, 48),
    "yellow": (250, 208, 62),
    "green": (64, 168, 76),
    "blue": (62, 116, 220),
    "purple": (146, 78, 190),
    "white": (244, 244, 248),
    "grey": (120, 124, 138),
}
COLOUR_NAMES = tuple(COLOURS)
PATTERNS = ("plain", "striped", "spotted")

# Materials: what a pixel of a character's map is made of. 0 is "not the character".
NONE, OUTLINE, BODY, SHADE, COAT, TRIM, LIGHT, DARK, ACCENT, PINK, SKIN, METAL = range(12)
MATERIALS = 12

FIXED = {
    OUTLINE: (38, 28, 48),
    LIGHT: (255, 248, 234),
    DARK: (28, 22, 38),
    ACCENT: (255, 150, 40),
    PINK: (250, 160, 172),
    SKIN: (246, 204, 168),
    METAL: (176, 184, 198),
}


def material_colours() -> np.ndarray:
    """RGB of every material by a character's body and coat: uint8 [colours, colours, MATERIALS,
    3].
    """
    colours = np.array(list(COLOURS.values()), dtype=float)
    dark_on_light = np.isin(COLOUR_NAMES, ("white", "yellow"))[:, None]
    trim = np.where(dark_on_light, FIXED[OUTLINE], FIXED[LIGHT])
    table = np.zeros((len(colours), len(colours), MATERIALS, 3))
    table[:, :, list(FIXED)] = list(FIXED.values())
    table[:, :, BODY] = colours[:, None]
    table[:, :, SHADE] = (colours * (1 - 0.28) + np.array(FIXED[OUTLINE]) * 0.28)[:, None]
    table[:, :, COAT] = colours
    table[:, :, TRIM] = colours * (1 - 0.62) + trim * 0.62
    return table.round().astype(np.uint8)
