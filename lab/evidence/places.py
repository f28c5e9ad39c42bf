"""Stories with a place in the cast for the evidence: several frames are there, the others
elsewhere.

The world draws a place in one way but for one thing that no caption says: which way round it is. So
a place's unsaid look is its turn, and what grain the model adds. Nothing here needs the judge.
"""

from itertools import combinations

import numpy as np
import torch

from ..world.captions import LOOKS, OPENINGS, PROP_PHRASES, SCENE_PHRASES, identity_phrase
from ..world.measure import background_looks
from ..world.render import NAMES
from .rows import ROWS, Row
from .unsaid import mean

# What the identity says of a place: in the words of the captions, and nothing of which way round it
# is. Forest and library are the same both ways round, so they are no places here.
DESCRIPTIONS = {
    "meadow": "a meadow with flowers",
    "snow": "the winter snow",
    "village": "a village by the river",
    "beach": "a beach by the sea",
    "city": "a city street at night",
    "desert": "the hot desert",
    "mountains": "the high mountains",
    "moon": "the moon under the stars",
}
AT_PLACE = 3  # of a story's frames
COLUMNS = ("turned", "look", "place", "others' scene", "place elsewhere", "others alike")
NOT_NAMED = Row("SVR + IPCA, place not named", ipca={})
PLACE_ROWS = {name: ROWS[name] for name in ("a", "b", "d", "e", "g")}


def draw_places(count: int, frames: int, seed: int, named: bool = True) -> list[dict]:
    """Stories of one character, said in full, and one place; `named` puts the place into the cast,
    else it is plain words.
    """
    rng = np.random.default_rng((seed, 3))
    stories = []
    for _ in range(count):
        kind = str(rng.choice(NAMES["kind"]))
        look = {name: str(rng.choice(values)) for name, values in LOOKS.items()}
        place = str(rng.choice(list(DESCRIPTIONS)))
        elsewhere = [scene for scene in NAMES["scene"] if scene != place]
        others = rng.choice(elsewhere, frames - AT_PLACE, replace=False)
        props = [NAMES["prop"][index] for index in rng.integers(len(NAMES["prop"]), size=frames)]
        scenes = [str(scene) for scene in rng.permutation([place] * AT_PLACE + list(others))]
        name = f"@{place}" if named else place
        where = [
            SCENE_PHRASES[scene][0].replace(place, name)
            if scene == place
            else SCENE_PHRASES[scene][0]
            for scene in scenes
        ]
        doing = [str(rng.choice(PROP_PHRASES[prop])) for prop in props]
        lines = [
            f"@{kind}: {identity_phrase(kind, **look, opening='')}",
            *([f"@{place}: {DESCRIPTIONS[place]}"] if named else []),
        ]
        stories.append(
            {
                "identity": "\n".join([OPENINGS[0], *lines]),
                "frames": [
                    " ".join(filter(None, (f"@{kind}", *words))) for words in zip(doing, where)
                ],
                "place": place,
                "kind": kind,
                "scenes": scenes,
            }
        )
    return stories


def measure_places(pictures: torch.Tensor, story: dict) -> dict[str, float]:
    """One story's columns, as COLUMNS names them; the page of the evidence says what they are."""
    shown, turns, pixels = background_looks(pictures, story["kind"])
    there = [index for index, scene in enumerate(story["scenes"]) if scene == story["place"]]
    others = [index for index in range(len(pictures)) if index not in there]
    pairs = list(combinations(there, 2))
    alike = [
        turns[i] == turns[j] for i in there for j in others if story["scenes"][j] in DESCRIPTIONS
    ]
    return {
        "turned": mean([turns[i] != turns[j] for i, j in pairs]),
        "look": mean([np.abs(pixels[i] - pixels[j]).mean() for i, j in pairs]) / 255,
        "place": mean([shown[i] == story["place"] for i in there]),
        "others' scene": mean([shown[i] == story["scenes"][i] for i in others]),
        "place elsewhere": mean([shown[i] == story["place"] for i in others]),
        "others alike": mean(alike),
    }
