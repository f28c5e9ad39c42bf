"""Compose pictures of the world from attributes, a whole batch at a time."""

from collections import namedtuple

import numpy as np
import torch

from .palette import COLOUR_NAMES, NONE, PATTERNS, material_colours
from .sprites import KIND_NAMES, PROP_NAMES, SCENE_NAMES, character_map, tiles

NAMES = {
    "kind": KIND_NAMES,
    "body": COLOUR_NAMES,
    "coat": COLOUR_NAMES,
    "pattern": PATTERNS,
    "scene": SCENE_NAMES,
    "prop": PROP_NAMES,
}
HAT = PROP_NAMES.index("hat")


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
        self.maps = np.array(
            [
                [
                    [character_map(kind, pattern, hatted) for hatted in (False, True)]
                    for pattern in PATTERNS
                ]
                for kind in KIND_NAMES
            ]
        )
        scenes = tiles("scenes")[0]
        self.scenes = np.stack([scenes, scenes[:, :, ::-1]], axis=1)
        self.props = tiles("props")[0]
        self.colours = material_colours()

    def __call__(self, a):
        """Pictures uint8 [n, 32, 32, 3] and the foreground (character and prop) bool [n, 32,
        32].
        """
        materials = self.maps[a.kind, a.pattern, (a.prop == HAT).astype(int)]
        row = np.arange(len(materials))[:, None, None]
        figure, props = materials != NONE, self.props[a.prop]
        held = props[..., 3] > 0
        pictures = np.where(
            figure[..., None],
            self.colours[a.body, a.coat][row, materials],
            self.scenes[a.scene, a.flip],
        )
        return np.where(held[..., None], props[..., :3], pictures), figure | held

    def tensors(self, a):
        """The pictures as models see them, float [n, 3, 32, 32] in -1..1, and the foreground."""
        pictures, figure = self(a)
        shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        return shown, torch.from_numpy(figure).float()
