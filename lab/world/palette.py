"""Colours of the drawn world. All colours are 8-bit RGB triples."""

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


def mix(colour, other, share):
    """Blend two RGB triples; `share` of `other` in 0..1."""
    return tuple(round(a * (1 - share) + b * share) for a, b in zip(colour, other))


def material_colours(body, coat):
    """RGB of every material for a character with the named body and coat colours."""
    body, dark_on_light, coat = COLOURS[body], coat in ("white", "yellow"), COLOURS[coat]
    made = {
        NONE: (0, 0, 0),
        BODY: body,
        SHADE: mix(body, FIXED[OUTLINE], 0.28),
        COAT: coat,
        TRIM: mix(coat, FIXED[OUTLINE if dark_on_light else LIGHT], 0.62),
    }
    return [(FIXED | made)[material] for material in range(MATERIALS)]
