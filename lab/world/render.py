"""Pictures of the world, composed from pixel art in files that a pixel editor opens: characters,
scenes and props of 32x32.

`kinds.png` holds what a pixel is made of: its indices are the materials of `names.py`, its colours
only show a red character with a green coat. The upper row is bare-headed, the lower one leaves out
what a worn hat would hide.
"""

from collections import namedtuple
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .names import COAT, NAMES, NONE, TRIM, material_colours

SIZE = 32


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
    return tiles("scenes")[0, NAMES["scene"].index(scene)]


def overlay(prop: str) -> np.ndarray:
    """RGBA uint8 [32, 32, 4] in colours that no body or coat has; alpha is 0 or 255."""
    return tiles("props")[0, NAMES["prop"].index(prop)]


def character_maps() -> np.ndarray:
    """Materials uint8 [2 (bare, hatted), kinds, patterns, 32, 32]: stripes or spots on the coat."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    band, height = np.divmod(rows - 19, 4)
    striped, spotted = height >= 2, (height < 2) & ((columns + 2 * (band % 2)) % 4 < 2)
    kinds, plain = tiles("kinds")[:, :, None], np.zeros_like(striped)
    return np.where((kinds == COAT) & np.stack([plain, striped, spotted]), np.uint8(TRIM), kinds)


class Attributes(namedtuple("Attributes", (*NAMES, "flip"))):
    """What is in a picture: for every field an index into NAMES, int [n]; `flip` mirrors the
    background.
    """

    @classmethod
    def stack(cls, rows):
        """Attributes of a list of dicts of ints."""
        return cls(*(np.array([row[name] for row in rows]) for name in cls._fields))


class Renderer:
    """Holds the drawn parts and puts them together by table look-up."""

    def __init__(self):
        scenes = tiles("scenes")[0]
        self.scenes = np.stack([scenes, scenes[:, :, ::-1]], axis=1)
        self.props = tiles("props")[0]
        self.maps, self.colours = character_maps(), material_colours()

    def __call__(self, a: Attributes) -> tuple[np.ndarray, np.ndarray]:
        """Pictures uint8 [n, 32, 32, 3], and where character and prop are, bool [n, 32, 32]."""
        hatted = (a.prop == NAMES["prop"].index("hat")).astype(int)
        materials, props = self.maps[hatted, a.kind, a.pattern], self.props[a.prop]
        row = np.arange(len(materials))[:, None, None]
        painted = self.colours[a.body, a.coat][row, materials]
        figure, held = materials != NONE, props[..., 3] > 0
        pictures = np.where(figure[..., None], painted, self.scenes[a.scene, a.flip])
        return np.where(held[..., None], props[..., :3], pictures), figure | held

    def tensors(self, a: Attributes) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as models see it: float [n, 3, 32, 32] in -1..1, and float [n, 32, 32]."""
        pictures, figure = map(torch.from_numpy, self(a))
        return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1, figure.float()
