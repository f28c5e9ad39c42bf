"""Stories whose identity leaves attributes unsaid, so that there is something to keep, and what
became of them. With everything said they are the second measure.
"""

from itertools import combinations

import numpy as np
import pandas as pd
import torch

from ..training.judge import Judge, named
from ..world.captions import LOOKS, OPENINGS, frame_phrase, identity_phrase
from ..world.measure import colour_distance, scene_of
from ..world.render import NAMES

FRAMES, SEED = 5, 2026


def draw_stories(count: int, chance: float = 0.3) -> list[dict]:
    """Identity, frames and their true scenes and props; an attribute is said with probability
    `chance`.
    """
    rng = np.random.default_rng(SEED)
    return [draw_story(rng, chance) for _ in range(count)]


def draw_story(rng: np.random.Generator, chance: float) -> dict:
    kind = str(rng.choice(NAMES["kind"]))
    look = {
        name: str(rng.choice(values)) if rng.random() < chance else None
        for name, values in LOOKS.items()
    }
    scenes, props = draw_frames(rng)
    return {
        "identity": identity_phrase(kind, **look, opening=OPENINGS[0]),
        "kind": kind,
        "said": {name: value for name, value in look.items() if value},
        "unsaid": [name for name, value in look.items() if not value],
        "scenes": scenes,
        "props": props,
        "frames": [frame_phrase(*frame, rng) for frame in zip(scenes, props)],
    }


def draw_look(rng: np.random.Generator) -> dict[str, str]:
    """A value of every attribute."""
    return {name: str(rng.choice(values)) for name, values in LOOKS.items()}


def draw_frames(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Different scenes, and props."""
    scenes = rng.choice(len(NAMES["scene"]), FRAMES, replace=False)
    return [NAMES["scene"][index] for index in scenes], draw_props(rng)


def draw_props(rng: np.random.Generator) -> list[str]:
    return [NAMES["prop"][index] for index in rng.integers(len(NAMES["prop"]), size=FRAMES)]


def measure(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """One story's columns. Identity: share of unsaid attributes that disagree between two frames;
    colours without the judge.
    """
    found = pd.DataFrame(named(judge, pictures))
    kind, scenes, props = (story[name] for name in ("kind", "scenes", "props"))
    right = {name: mean(found[name] == story[f"{name}s"]) for name in ("scene", "prop")}
    right["kind"] = mean(found["kind"] == kind)
    pairs = list(combinations(range(FRAMES), 2))
    differ = [found[name][i] != found[name][j] for name in story["unsaid"] for i, j in pairs]
    placed = [i for i in range(FRAMES) if scene_of(pictures[i], kind) == scenes[i]]
    of_placed = pictures[placed], kind, [props[i] for i in placed]
    return {
        **right,
        "alignment": mean([*right.values()]),
        "identity": mean(differ),
        "stated": mean([found[name] == value for name, value in story["said"].items()]),
        "colour": colour_distance(pictures, kind, props),
        "colour, scenes right": colour_distance(*of_placed) if len(placed) > 1 else float("nan"),
    }


def mean(values: list) -> float:
    """Of numbers or of truths, as a share; nan of none."""
    return float(np.mean(values)) if len(values) else float("nan")
