"""Compose pictures of the world from attributes, a whole batch at a time."""

from dataclasses import dataclass, fields

import numpy as np

from .palette import COLOUR_NAMES, MATERIALS, NONE, PATTERNS, material_colours
from .sprites import KIND_NAMES, PROP_NAMES, SCENE_NAMES, SIZE, all_maps, tiles

NAMES = {
    "kind": KIND_NAMES,
    "body": COLOUR_NAMES,
    "coat": COLOUR_NAMES,
    "pattern": PATTERNS,
    "scene": SCENE_NAMES,
    "prop": PROP_NAMES,
}
HAT = PROP_NAMES.index("hat")


@dataclass
class Attributes:
    """What is in a picture: for every field an index into NAMES, int [n]; `flip` mirrors the
    background.
    """

    kind: np.ndarray
    body: np.ndarray
    coat: np.ndarray
    pattern: np.ndarray
    scene: np.ndarray
    prop: np.ndarray
    flip: np.ndarray

    @classmethod
    def stack(cls, rows):
        """Attributes of a list of dicts of ints."""
        return cls(**{f.name: np.array([row[f.name] for row in rows]) for f in fields(cls)})


class Renderer:
    """Holds the drawn parts and puts them together by table look-up."""

    def __init__(self):
        self.maps = all_maps()
        scenes = tiles("scenes")[0]
        self.scenes = np.stack([scenes, scenes[:, :, ::-1]], axis=1)
        self.props = tiles("props")[0]
        self.colours = np.array(
            [[material_colours(body, coat) for coat in COLOUR_NAMES] for body in COLOUR_NAMES],
            dtype=np.uint8,
        )

    def __call__(self, a):
        """Pictures uint8 [n, 32, 32, 3] and the foreground (character and prop) bool [n, 32,
        32].
        """
        pictures = self.scenes[a.scene, a.flip].copy()
        materials = self.maps[a.kind, a.pattern, (a.prop == HAT).astype(int)]
        flat = self.colours[a.body, a.coat].reshape(-1, 3)
        index = materials.astype(np.int64) + MATERIALS * np.arange(len(materials))[:, None, None]
        figure = materials != NONE
        pictures[figure] = flat[index[figure]]
        props = self.props[a.prop]
        held = props[..., 3] > 0
        pictures[held] = props[held][:, :3]
        return pictures, figure | held


def sheet(pictures, columns, zoom=8, gap=1):
    """One RGB uint8 contact sheet of pictures [n, 32, 32, 3], nearest-neighbour enlarged."""
    rows = -(-len(pictures) // columns)
    cell = SIZE + gap
    canvas = np.full((rows * cell + gap, columns * cell + gap, 3), 255, dtype=np.uint8)
    for i, picture in enumerate(pictures):
        y, x = gap + i // columns * cell, gap + i % columns * cell
        canvas[y : y + SIZE, x : x + SIZE] = picture
    return canvas.repeat(zoom, axis=0).repeat(zoom, axis=1)
