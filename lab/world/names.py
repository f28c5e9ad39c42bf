"""What there is in the drawn world, and what captions call it. Colours are 8-bit RGB triples."""

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
SCENE_PHRASES = {
    "meadow": ("in a meadow", "on a meadow with flowers"),
    "snow": ("in the snow", "in the winter snow"),
    "forest": ("in the forest", "in a deep forest"),
    "village": ("at the edge of a village with a river", "in a village by the river"),
    "beach": ("at the beach", "on a beach by the sea"),
    "city": ("in the city at night", "in a city street at night"),
    "desert": ("in the desert", "in the hot desert"),
    "mountains": ("in the mountains", "high in the mountains"),
    "library": ("in the library", "in a library with books"),
    "moon": ("on the moon", "on the moon under the stars"),
}
PROP_PHRASES = {
    "none": ("", "playing", "standing", "walking"),
    "scarf": ("wearing a scarf",),
    "hat": ("wearing a hat", "wearing a straw hat"),
    "umbrella": ("holding an umbrella", "with an umbrella"),
    "balloon": ("holding a balloon", "with a balloon"),
    "berries": ("foraging berries", "with a basket of berries"),
    "ball": ("playing with a ball", "with a ball"),
    "book": ("reading a book", "with a book"),
}
# What a picture may show; kinds, scenes and props in the order of their files.
NAMES = {
    "kind": ("fox", "cat", "rabbit", "robot", "bird", "dragon", "wizard"),
    "body": tuple(COLOURS),
    "coat": tuple(COLOURS),
    "pattern": ("plain", "striped", "spotted"),
    "scene": tuple(SCENE_PHRASES),
    "prop": tuple(PROP_PHRASES),
}

# Materials: what a pixel of a character's map is made of. 0 is "not the character".
NONE, OUTLINE, BODY, SHADE, COAT, TRIM, LIGHT, DARK, ACCENT, PINK, SKIN, METAL = range(12)
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
    """RGB of every material by body and coat: uint8 [colours, colours, materials, 3]."""
    colours = np.array(list(COLOURS.values()), dtype=float)
    light_coat = np.isin(list(COLOURS), ("white", "yellow"))[:, None]
    trim = np.where(light_coat, FIXED[OUTLINE], FIXED[LIGHT])
    table = np.zeros((len(colours), len(colours), METAL + 1, 3))
    table[:, :, list(FIXED)] = list(FIXED.values())
    table[:, :, BODY] = colours[:, None]
    table[:, :, SHADE] = (colours * (1 - 0.28) + np.array(FIXED[OUTLINE]) * 0.28)[:, None]
    table[:, :, COAT] = colours
    table[:, :, TRIM] = colours * (1 - 0.62) + trim * 0.62
    return table.round().astype(np.uint8)
