"""Stories with a cast for the evidence: two or three characters, one of them in every frame, and
what became of them.
"""

import numpy as np
import pandas as pd
import torch

from ..training.judge import Judge, named
from ..world.captions import OPENINGS, frame_phrase, identity_phrase
from ..world.render import NAMES
from .unsaid import FRAMES, SEED, draw_frames, draw_look, mean


def draw_casts(count: int, seed: int = SEED) -> list[dict]:
    """Stories whose characters differ in kind and are said in full; every frame mentions one, and
    each of them has a frame.
    """
    rng = np.random.default_rng((seed, 2))
    return [draw_cast(rng) for _ in range(count)]


def draw_cast(rng: np.random.Generator) -> dict:
    kinds = [str(kind) for kind in rng.choice(NAMES["kind"], int(rng.integers(2, 4)), False)]
    looks = [draw_look(rng) for _ in kinds]
    others = rng.integers(len(kinds), size=FRAMES - len(kinds))
    acting = rng.permutation([*range(len(kinds)), *others])
    acts = list(zip(acting, *draw_frames(rng)))
    characters = [character(kind, look) for kind, look in zip(kinds, looks)]
    return {
        "identity": "\n".join([OPENINGS[0], *characters]),
        "cast": kinds,
        "frames": [f"@{kinds[who]} {frame_phrase(scene, prop, rng)}" for who, scene, prop in acts],
        "shown": [
            {"kind": kinds[who], **looks[who], "scene": scene, "prop": prop}
            for who, scene, prop in acts
        ],
    }


def character(kind: str, look: dict[str, str]) -> str:
    """A character's line of the identity."""
    return f"@{kind}: {identity_phrase(kind, **look, opening='')}"


def measure_cast(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """Shares of frames in which the judge names what was said of the character in it; `absent`: in
    which it names another of the cast.
    """
    found, shown = pd.DataFrame(named(judge, pictures)), pd.DataFrame(story["shown"])
    right = found == shown[found.columns]
    return {
        **{name: mean(right[name]) for name in ("kind", "pattern", "scene", "prop")},
        "colours": mean(right[["body", "coat"]]),
        "absent": mean(found["kind"].isin(story["cast"]) & ~right["kind"]),
    }
