"""The world's parts as pixel art, 32x32 each, in files that a pixel editor opens: characters,
scenes and props.

`kinds.png` holds what a pixel is made of: its indices are the materials of `palette.py`, its
colours only show a red character with a green coat. The upper row is bare-headed, the lower one
leaves out what a worn hat would hide.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from .palette import COAT, TRIM

SIZE = 32
# In the order of the files.
KIND_NAMES = ("fox", "cat", "rabbit", "robot", "bird", "dragon", "wizard")
PROP_NAMES = ("none", "scarf", "hat", "umbrella", "balloon", "berries", "ball", "book")
SCENE_NAMES = (
    *("meadow", "snow", "forest", "village", "beach"),
    *("city", "desert", "mountains", "library", "moon"),
)


@lru_cache(maxsize=3)
def tiles(name: str) -> np.ndarray:
    """The parts in a file: uint8 [rows, columns, 32, 32], or [.., channels] with colours."""
    with Image.open(Path(__file__).with_name(f"{name}.png")) as image:
        pixels = np.array(image)
    rows, columns = pixels.shape[0] // SIZE, pixels.shape[1] // SIZE
    parts = pixels.reshape(rows, SIZE, columns, SIZE, *pixels.shape[2:]).swapaxes(1, 2)
    parts.flags.writeable = False
    return parts


def background(scene: str) -> np.ndarray:
    """RGB uint8 [32, 32, 3], with a calm middle for the character."""
    return tiles("scenes")[0, SCENE_NAMES.index(scene)]


def overlay(prop: str) -> np.ndarray:
    """RGBA uint8 [32, 32, 4] in colours that no body or coat has; alpha is 0 or 255."""
    return tiles("props")[0, PROP_NAMES.index(prop)]


def character_map(kind: str, pattern: str, hatted: bool) -> np.ndarray:
    """Material map uint8 [32, 32] of a kind, with stripes or spots on the coat."""
    found = tiles("kinds")[int(hatted), KIND_NAMES.index(kind)].copy()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    motif = {
        "plain": np.zeros_like(found, dtype=bool),
        "striped": (rows - 19) % 4 >= 2,
        "spotted": ((rows - 19) % 4 < 2) & ((columns + 2 * ((rows - 19) // 4 % 2)) % 4 < 2),
    }[pattern]
    found[(found == COAT) & motif] = TRIM
    return found
