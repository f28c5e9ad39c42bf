"""Stories with a cast for the evidence: two or three characters, one of them in every frame, and
what became of them.
"""

import numpy as np
import torch

from ..training.judge import Judge, named
from ..world.captions import LOOKS, OPENINGS, frame_phrase, identity_phrase
from ..world.render import NAMES
from .unsaid import draw_frames, mean

COLUMNS = ("kind", "colours", "pattern", "scene", "prop", "absent")


def draw_casts(count: int, frames: int, seed: int) -> list[dict]:
    """Stories whose characters differ in kind and are said in full; every frame mentions one, and
    each of them has a frame.
    """
    rng = np.random.default_rng((seed, 2))
    stories = []
    for _ in range(count):
        chosen = rng.choice(NAMES["kind"], int(rng.integers(2, 4)), replace=False)
        kinds = [str(kind) for kind in chosen]
        looks = [{name: str(rng.choice(values)) for name, values in LOOKS.items()} for _ in kinds]
        others = rng.integers(len(kinds), size=frames - len(kinds))
        acting = [int(place) for place in rng.permutation([*range(len(kinds)), *others])]
        scenes, props = draw_frames(rng, frames)
        characters = [
            f"@{kind}: {identity_phrase(kind, **look, opening='')}"
            for kind, look in zip(kinds, looks)
        ]
        acts = list(zip(acting, scenes, props))
        stories.append(
            {
                "identity": "\n".join([OPENINGS[0], *characters]),
                "cast": kinds,
                "frames": [
                    f"@{kinds[who]} {frame_phrase(scene, prop, rng)}" for who, scene, prop in acts
                ],
                "shown": [
                    {"kind": kinds[who], **looks[who], "scene": scene, "prop": prop}
                    for who, scene, prop in acts
                ],
            }
        )
    return stories


def measure_cast(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """Shares of frames in which the judge names what was said of the character in it; `absent`: in
    which it names another of the cast.
    """
    found, shown = named(judge, pictures), story["shown"]
    right = {
        name: [a == frame[name] for a, frame in zip(values, shown)]
        for name, values in found.items()
    }
    absent = [a in story["cast"] and a != frame["kind"] for a, frame in zip(found["kind"], shown)]
    return {
        **{name: mean(right[name]) for name in ("kind", "pattern", "scene", "prop")},
        "colours": mean([*right["body"], *right["coat"]]),
        "absent": mean(absent),
    }
