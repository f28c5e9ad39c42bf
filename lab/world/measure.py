"""Generated pictures as bytes, and measures on them that need no trained judge: how far a
character's colours differ, which scene it stands in.

The world helps: a kind is always drawn in the same place, and a scene has one background. Pictures
are float [n, 3, 32, 32] in -1..1.
"""

import numpy as np
import torch

from .names import BODY, COAT, NAMES, NONE
from .render import background, character_maps, overlay


def as_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Pictures as they are shown: bytes [n, 32, 32, 3]."""
    return ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def identity_colours(picture: torch.Tensor, kind: str, prop: str) -> torch.Tensor:
    """Mean RGB of the body and of the coat, [2, 3] in 0..1, where neither a hat nor a prop can
    cover them.
    """
    bare, hatted = character_maps()[:, NAMES["kind"].index(kind), 0]
    seen = (bare == hatted) & (overlay(prop)[..., 3] == 0)
    pixels = (picture.permute(1, 2, 0).numpy() + 1) / 2
    return torch.tensor(np.stack([pixels[seen & (bare == part)].mean(0) for part in (BODY, COAT)]))


def colour_distance(pictures: torch.Tensor, kind: str, props: list[str]) -> float:
    """Mean distance of body and coat colours over all pairs of a story's frames; 1 is the side of
    the RGB cube.
    """
    colours = torch.stack(
        [identity_colours(*frame) for frame in zip(pictures, [kind] * len(props), props)]
    )
    first, second = torch.combinations(torch.arange(len(colours)), 2).T
    return float((colours[first] - colours[second]).norm(dim=-1).mean())


def scene_of(picture: torch.Tensor, kind: str) -> str:
    """The scene whose background is nearest, looking past the character and all places where a prop
    may be.
    """
    return background_looks(picture[None], kind)[0][0]


def background_looks(pictures: torch.Tensor, kind: str) -> tuple[list[str], list[bool], np.ndarray]:
    """Of every picture: the nearest scene, whether it is turned round, and the pixels in sight,
    0..255 [n, pixels, 3].
    """
    bare = character_maps()[0, NAMES["kind"].index(kind), 0]
    seen = ~np.any([bare != NONE, *(overlay(prop)[..., 3] > 0 for prop in NAMES["prop"])], axis=0)
    pixels = ((pictures.permute(0, 2, 3, 1).numpy() + 1) * 127.5)[:, seen]
    sides = [(name, turned) for name in NAMES["scene"] for turned in (False, True)]
    drawn = [
        background(name).astype(float)[:, :: -1 if turned else 1][seen] for name, turned in sides
    ]
    nearest = [sides[np.argmin([np.abs(own - side).mean() for side in drawn])] for own in pixels]
    names, turns = zip(*nearest)
    return list(names), list(turns), pixels
