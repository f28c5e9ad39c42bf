"""Stories with a place in the cast for the evidence: several frames are there, the others
elsewhere.

The world draws a place in one way but for one thing that no caption says: which way round it is. So
a place's unsaid look is its turn, and what grain the model adds. Nothing here needs the judge.
"""

from itertools import combinations

import numpy as np
import torch

from ..training.judge import Judge
from ..world.captions import OPENINGS, PROP_PHRASES, SCENE_PHRASES
from ..world.measure import background_looks
from ..world.render import NAMES
from .cast import character
from .rows import ROWS, Row
from .unsaid import FRAMES, SEED, draw_look, draw_props, mean

# What the identity says of a place: a caption's words without `in` or `on`, and nothing of which
# way round it is. Forest and library are the same both ways round, so they are no places here.
DESCRIPTIONS = {
    place: phrases[1].partition(" ")[2]
    for place, phrases in SCENE_PHRASES.items()
    if place not in ("forest", "library")
} | {"mountains": "the high mountains"}
AT_PLACE = 3  # of a story's frames
NOT_NAMED = Row("SVR + IPCA, place not named", ipca={})
PLACE_ROWS = [ROWS[name] for name in "abdeg"]


def draw_places(count: int, seed: int = SEED, named: bool = True) -> list[dict]:
    """Stories of one character, said in full, and one place; `named` puts the place into the cast,
    else it is plain words.
    """
    rng = np.random.default_rng((seed, 3))
    return [draw_place(rng, named) for _ in range(count)]


def draw_place(rng: np.random.Generator, named: bool) -> dict:
    kind, look = str(rng.choice(NAMES["kind"])), draw_look(rng)
    place = str(rng.choice(list(DESCRIPTIONS)))
    elsewhere = [scene for scene in NAMES["scene"] if scene != place]
    others = rng.choice(elsewhere, FRAMES - AT_PLACE, replace=False)
    props = draw_props(rng)
    scenes = [str(scene) for scene in rng.permutation([place] * AT_PLACE + list(others))]
    doing = [str(rng.choice(PROP_PHRASES[prop])) for prop in props]
    where = [SCENE_PHRASES[scene][0] for scene in scenes]
    if named:
        where = [words.replace(place, f"@{place}") for words in where]
    described = [f"@{place}: {DESCRIPTIONS[place]}"] if named else []
    return {
        "identity": "\n".join([OPENINGS[0], character(kind, look), *described]),
        "frames": [" ".join(filter(None, (f"@{kind}", *words))) for words in zip(doing, where)],
        "place": place,
        "kind": kind,
        "scenes": scenes,
    }


def measure_places(pictures: torch.Tensor, story: dict, judge: Judge | None) -> dict[str, float]:
    """One story's columns, which the page of the evidence explains."""
    shown, turns, pixels = background_looks(pictures, story["kind"])
    place, scenes = story["place"], story["scenes"]
    there = [index for index, scene in enumerate(scenes) if scene == place]
    others = [index for index, scene in enumerate(scenes) if scene != place]
    pairs = list(combinations(there, 2))
    turning = [index for index in others if scenes[index] in DESCRIPTIONS]
    return {
        "turned": mean([turns[i] != turns[j] for i, j in pairs]),
        "look": mean([np.abs(pixels[i] - pixels[j]).mean() for i, j in pairs]) / 255,
        "place": mean([shown[i] == place for i in there]),
        "others' scene": mean([shown[i] == scenes[i] for i in others]),
        "place elsewhere": mean([shown[i] == place for i in others]),
        "others alike": mean([turns[i] == turns[j] for i in there for j in turning]),
    }
