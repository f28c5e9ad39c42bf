"""The drawn stories of the evidence, and what became of them in pictures. Each has an identity and
frames as Story Prompt takes them, and what is true of the frames.

*Unsaid*: the identity leaves attributes unsaid, so that there is something to keep; with everything
said these are the second measure. *Cast*: two or three characters, one of them in every frame.
*Place*: a place in the cast; several frames are there, the others elsewhere. The world draws a
place in one way but for one thing that no caption says, which way round it is: so a place's unsaid
look is its turn, and what grain the model adds.
"""

from collections.abc import Iterable
from itertools import combinations
from operator import eq

import numpy as np
import torch

from ..training.judge import Judge, named
from ..world.captions import (
    LOOKS,
    OPENINGS,
    PROP_PHRASES,
    SCENE_PHRASES,
    frame_phrase,
    identity_phrase,
)
from ..world.measure import background_looks, colour_distance, scene_of
from ..world.render import NAMES

Named = dict[str, list[str]]  # of every attribute, what the judge sees in each frame
FRAMES, SEED = 5, 2026
AT_PLACE = 3  # of a story's frames
# What the identity says of a place: a caption's words without `in` or `on`, and nothing of which
# way round it is. Forest and library are the same both ways round, so they are no places here.
PLACES = {
    place: phrases[1].partition(" ")[2]
    for place, phrases in SCENE_PHRASES.items()
    if place not in ("forest", "library")
} | {"mountains": "the high mountains"}


def draw_stories(count: int, chance: float = 0.3) -> list[dict]:
    """An attribute is said with probability `chance`."""
    rng, stories = np.random.default_rng(SEED), []
    for _ in range(count):
        kind = str(rng.choice(NAMES["kind"]))
        look = {
            name: str(rng.choice(values)) if rng.random() < chance else None
            for name, values in LOOKS.items()
        }
        scenes, props = draw_scenes(rng), draw_props(rng)
        stories.append(
            {
                "identity": identity_phrase(kind, **look, opening=OPENINGS[0]),
                "kind": kind,
                "said": {name: value for name, value in look.items() if value},
                "unsaid": [name for name, value in look.items() if not value],
                "scenes": scenes,
                "props": props,
                "frames": [frame_phrase(*frame, rng) for frame in zip(scenes, props)],
            }
        )
    return stories


def draw_casts(count: int, seed: int = SEED) -> list[dict]:
    """Characters differ in kind and are said in full; every frame mentions one, and each of them
    has a frame.
    """
    rng, stories = np.random.default_rng((seed, 2)), []
    for _ in range(count):
        kinds = [str(kind) for kind in rng.choice(NAMES["kind"], int(rng.integers(2, 4)), False)]
        looks = [draw_look(rng) for _ in kinds]
        others = rng.integers(len(kinds), size=FRAMES - len(kinds))
        acting = rng.permutation([*range(len(kinds)), *others])
        acts = list(zip(acting, draw_scenes(rng), draw_props(rng)))
        stories.append(
            {
                "identity": "\n".join([OPENINGS[0], *map(in_cast, kinds, looks)]),
                "cast": kinds,
                "frames": [f"@{kinds[who]} {frame_phrase(*act, rng)}" for who, *act in acts],
                "shown": [
                    {"kind": kinds[who], **looks[who], "scene": scene, "prop": prop}
                    for who, scene, prop in acts
                ],
            }
        )
    return stories


def draw_places(count: int, seed: int = SEED, named: bool = True) -> list[dict]:
    """One character, said in full, and one place; `named` puts the place into the cast, else it is
    plain words.
    """
    rng, stories = np.random.default_rng((seed, 3)), []
    for _ in range(count):
        kind, look, place = str(rng.choice(NAMES["kind"])), draw_look(rng), rng.choice([*PLACES])
        elsewhere = [scene for scene in NAMES["scene"] if scene != place]
        others = rng.choice(elsewhere, FRAMES - AT_PLACE, replace=False)
        props = draw_props(rng)
        scenes = [str(scene) for scene in rng.permutation([place] * AT_PLACE + list(others))]
        doing = [str(rng.choice(PROP_PHRASES[prop])) for prop in props]
        where = [SCENE_PHRASES[scene][0] for scene in scenes]
        if named:
            where = [words.replace(place, f"@{place}") for words in where]
        described = [f"@{place}: {PLACES[place]}"] if named else []
        stories.append(
            {
                "identity": "\n".join([OPENINGS[0], in_cast(kind, look), *described]),
                "frames": [" ".join(filter(None, (f"@{kind}", *act))) for act in zip(doing, where)],
                "place": str(place),
                "kind": kind,
                "scenes": scenes,
            }
        )
    return stories


def draw_look(rng: np.random.Generator) -> dict[str, str]:
    """A value of every attribute."""
    return {name: str(rng.choice(values)) for name, values in LOOKS.items()}


def draw_scenes(rng: np.random.Generator) -> list[str]:
    """Different scenes."""
    drawn = rng.choice(len(NAMES["scene"]), FRAMES, replace=False)
    return [NAMES["scene"][index] for index in drawn]


def draw_props(rng: np.random.Generator) -> list[str]:
    return [NAMES["prop"][index] for index in rng.integers(len(NAMES["prop"]), size=FRAMES)]


def in_cast(kind: str, look: dict[str, str]) -> str:
    """A character's line of the identity."""
    return f"@{kind}: {identity_phrase(kind, **look, opening='')}"


def measure(pictures: torch.Tensor, story: dict, judge: Judge) -> dict[str, float]:
    """One story's columns, which the page of the evidence explains, of [frames, 3, 32, 32] in
    -1..1.
    """
    if "place" in story:
        return measure_place(pictures, story)
    found = named(judge, pictures)
    return measure_cast(found, story) if "cast" in story else measure_unsaid(pictures, story, found)


def measure_unsaid(pictures: torch.Tensor, story: dict, found: Named) -> dict[str, float]:
    """Identity: share of unsaid attributes that disagree between two frames, as the judge `found`
    them; colours without the judge.
    """
    kind, scenes, props = (story[name] for name in ("kind", "scenes", "props"))
    true = {"scene": scenes, "prop": props, "kind": [kind] * FRAMES}
    right = {name: mean(map(eq, found[name], there)) for name, there in true.items()}
    pairs = list(combinations(range(FRAMES), 2))
    differ = [found[name][i] != found[name][j] for name in story["unsaid"] for i, j in pairs]
    placed = [i for i in range(FRAMES) if scene_of(pictures[i], kind) == scenes[i]]
    of_placed = pictures[placed], kind, [props[i] for i in placed]
    return {
        **right,
        "alignment": mean([*right.values()]),
        "identity": mean(differ),
        "stated": mean(a == value for name, value in story["said"].items() for a in found[name]),
        "colour": colour_distance(pictures, kind, props),
        "colour, scenes right": colour_distance(*of_placed) if len(placed) > 1 else float("nan"),
    }


def measure_cast(found: Named, story: dict) -> dict[str, float]:
    """Shares of frames in which the judge `found` what was said of the character in it; `absent`:
    in which it names another of the cast.
    """
    shown, cast = story["shown"], story["cast"]
    right = {name: [*map(eq, found[name], (true[name] for true in shown))] for name in found}
    kinds = zip(found["kind"], right["kind"])
    return {
        **{name: mean(right[name]) for name in ("kind", "pattern", "scene", "prop")},
        "colours": mean(right["body"] + right["coat"]),
        "absent": mean(kind in cast and not present for kind, present in kinds),
    }


def measure_place(pictures: torch.Tensor, story: dict) -> dict[str, float]:
    """Without the judge."""
    shown, turns, pixels = background_looks(pictures, story["kind"])
    place, scenes = story["place"], story["scenes"]
    there = [index for index, scene in enumerate(scenes) if scene == place]
    others = [index for index, scene in enumerate(scenes) if scene != place]
    pairs = list(combinations(there, 2))
    turning = [index for index in others if scenes[index] in PLACES]
    return {
        "turned": mean(turns[i] != turns[j] for i, j in pairs),
        "look": mean(np.abs(pixels[i] - pixels[j]).mean() for i, j in pairs) / 255,
        "place": mean(shown[i] == place for i in there),
        "others' scene": mean(shown[i] == scenes[i] for i in others),
        "place elsewhere": mean(shown[i] == place for i in others),
        "others alike": mean(turns[i] == turns[j] for i in there for j in turning),
    }


def mean(values: Iterable) -> float:
    """Of numbers or of truths, as a share; nan of none."""
    values = list(values)
    return float(np.mean(values)) if values else float("nan")
