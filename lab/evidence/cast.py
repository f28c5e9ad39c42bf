"""Stories with a cast for the evidence: two or three characters, one of them in every frame, and
what became of them.
"""

import numpy as np
import torch

from ..training.judge import Judge
from ..world.captions import IDENTITY, OPENINGS, frame_phrase, identity_phrase
from ..world.palette import COLOUR_NAMES, PATTERNS
from ..world.render import NAMES

COLUMNS = ("kind", "colours", "pattern", "scene", "prop", "absent")


def draw_casts(count: int, frames: int, seed: int) -> list[dict]:
    """Stories whose characters differ in kind and are said in full; every frame mentions one, and
    each of them has a frame.
    """
    rng = np.random.default_rng((seed, 2))
    stories = []
    for _ in range(count):
        kinds = [
            str(kind) for kind in rng.choice(NAMES["kind"], int(rng.integers(2, 4)), replace=False)
        ]
        looks = [
            {
                name: str(rng.choice(values))
                for name, values in zip(IDENTITY, (COLOUR_NAMES, COLOUR_NAMES, PATTERNS))
            }
            for _ in kinds
        ]
        acting = [
            int(place)
            for place in rng.permutation(
                [*range(len(kinds)), *rng.integers(len(kinds), size=frames - len(kinds))]
            )
        ]
        scenes = [
            NAMES["scene"][index]
            for index in rng.choice(len(NAMES["scene"]), frames, replace=False)
        ]
        props = [NAMES["prop"][index] for index in rng.integers(len(NAMES["prop"]), size=frames)]
        characters = [
            f"@{kind}: {identity_phrase(kind, **look, opening='')}"
            for kind, look in zip(kinds, looks)
        ]
        stories.append(
            {
                "identity": "\n".join([OPENINGS[0], *characters]),
                "cast": kinds,
                "frames": [
                    f"@{kinds[who]} {frame_phrase(scene, prop, rng)}"
                    for who, scene, prop in zip(acting, scenes, props)
                ],
                "shown": [
                    {"kind": kinds[who], **looks[who], "scene": scene, "prop": prop}
                    for who, scene, prop in zip(acting, scenes, props)
                ],
            }
        )
    return stories


def measure_cast(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """Shares of frames in which the judge names what was said of the character in it; `absent`: in
    which it names another of the cast.
    """
    named = {
        name: [NAMES[name][index] for index in found.tolist()]
        for name, found in judge.name(pictures).items()
    }
    right = {
        name: [found == frame[name] for found, frame in zip(named[name], story["shown"])]
        for name in named
    }
    absent = [
        found in story["cast"] and found != frame["kind"]
        for found, frame in zip(named["kind"], story["shown"])
    ]
    columns = {name: float(np.mean(right[name])) for name in ("kind", "pattern", "scene", "prop")}
    return {
        **columns,
        "colours": float(np.mean([*right["body"], *right["coat"]])),
        "absent": float(np.mean(absent)),
    }
