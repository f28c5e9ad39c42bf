"""Stories whose identity leaves attributes unsaid, so that there is something to keep, and what
became of them. With everything said they are the second measure.
"""

from itertools import combinations

import numpy as np
import torch

from ..training.judge import Judge, named
from ..world.captions import IDENTITY, LOOKS, OPENINGS, frame_phrase, identity_phrase
from ..world.measure import colour_distance, scene_of
from ..world.render import NAMES

FRAMES, SEED = 5, 2026


def draw_stories(count: int, chance: float = 0.3) -> list[dict]:
    """Identity, frames and their true scenes and props; an attribute is said with probability
    `chance`.
    """
    rng = np.random.default_rng(SEED)
    stories = []
    for _ in range(count):
        kind = str(rng.choice(NAMES["kind"]))
        said = {
            name: str(rng.choice(values)) if rng.random() < chance else None
            for name, values in LOOKS.items()
        }
        scenes, props = draw_frames(rng, FRAMES)
        stories.append(
            {
                "identity": identity_phrase(kind, **said, opening=OPENINGS[0]),
                "kind": kind,
                "said": {name: value for name, value in said.items() if value is not None},
                "unsaid": [name for name in IDENTITY if said[name] is None],
                "scenes": scenes,
                "props": props,
                "frames": [frame_phrase(*frame, rng) for frame in zip(scenes, props)],
            }
        )
    return stories


def draw_frames(rng: np.random.Generator, frames: int) -> tuple[list[str], list[str]]:
    """Different scenes, and props."""
    scenes = rng.choice(len(NAMES["scene"]), frames, replace=False)
    props = rng.integers(len(NAMES["prop"]), size=frames)
    return [NAMES["scene"][index] for index in scenes], [NAMES["prop"][index] for index in props]


def measure(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """One story's columns. Identity: share of unsaid attributes that disagree between two frames;
    colours without the judge.
    """
    found, kind, scenes, props = (
        named(judge, pictures),
        story["kind"],
        story["scenes"],
        story["props"],
    )
    pairs = list(combinations(range(FRAMES), 2))
    placed = [i for i in range(FRAMES) if scene_of(pictures[i], kind) == scenes[i]]
    right = {
        "scene": [a == b for a, b in zip(found["scene"], scenes)],
        "prop": [a == b for a, b in zip(found["prop"], props)],
        "kind": [a == kind for a in found["kind"]],
    }
    shares = {name: mean(values) for name, values in right.items()}
    differ = [found[name][i] != found[name][j] for name in story["unsaid"] for i, j in pairs]
    stated = [a == value for name, value in story["said"].items() for a in found[name]]
    of_placed = pictures[placed], kind, [props[index] for index in placed]
    return {
        **shares,
        "alignment": mean(list(shares.values())),
        "identity": mean(differ),
        "stated": mean(stated),
        "colour": colour_distance(pictures, kind, props),
        "colour, scenes right": colour_distance(*of_placed) if len(placed) > 1 else float("nan"),
    }


def mean(values: list) -> float:
    return float(np.mean(values)) if values else float("nan")
