"""What a picture of the world is called: identity phrases, frame phrases, and which attributes they
leave unsaid.

Identity is at stake by design: an attribute that a caption leaves unsaid is drawn, with probability
BY_SCENE, from what one of the mentioned scenes prefers, so that separate prompts for the same
character come out differently. With probability BY_KIND it is drawn from what the kind of character
prefers, as foxes are red in real data: something about the unsaid is in the identity's own words.
"""

from itertools import chain

import numpy as np

from .names import COLOURS, NAMES, PROP_PHRASES, SCENE_PHRASES

BY_SCENE, BY_KIND = 0.5, 0.25  # else uniform
MAX_FRAMES, MAX_CAST = 5, 3

OPENINGS = ("A photo of", "A photo of", "A picture of", "A drawing of", "")
SAID = {"body": 0.6, "coat": 0.55, "pattern": 0.4}  # how often a caption says each of them
IDENTITY = tuple(SAID)
LOOKS = {name: NAMES[name] for name in IDENTITY}
GIVEN_NAMES = ("mia", "leo")  # words that the token table lacks


def preferred(index: int, attribute: str, by_kind: bool = False) -> tuple[int, ...]:
    """What a scene, or a kind of character, prefers for an attribute: two colours of seven, one
    pattern of three.
    """
    if attribute == "pattern":
        return (index % len(NAMES["pattern"]),)
    step, coat = (2, 4) if by_kind else (3, 2)
    start = step * index + (coat if attribute == "coat" else 0)
    return (start % len(COLOURS), (start + 1) % len(COLOURS))


def identity_phrase(
    kind: str, body: str | None, coat: str | None, pattern: str | None, opening: str
) -> str:
    """Say what is known: `A photo of a red fox with a striped green coat`; None leaves an attribute
    unsaid.
    """
    creature = " ".join(filter(None, (opening, "a", body, kind)))
    worn = " ".join(filter(None, (pattern, coat, "coat")))
    return f"{creature} with a {worn}" if coat or pattern else creature


def frame_phrase(scene: str, prop: str, rng: np.random.Generator) -> str:
    """One of the ways to say a scene with a prop, for example `wearing a scarf in a meadow`."""
    return f"{rng.choice(PROP_PHRASES[prop])} {rng.choice(SCENE_PHRASES[scene])}".strip()


def draw_story(rng: np.random.Generator, frames: int, cast: int = 1) -> dict:
    """A caption of `frames` frames and `cast` characters; one frame is shown, with one character in
    it.

    `phrases` are those of a Story of the pack: identity (with a cast its common text, if any, and a
    phrase a character), then the frames from place `first` on. `present` are the places of the
    identity phrases that hold in the shown frame and `shown` is the place of its own; then come the
    picture's attributes, and which of them the caption says.
    """
    scenes = rng.choice(len(NAMES["scene"]), frames, replace=False)
    props = np.where(rng.random(frames) < 0.3, 0, rng.integers(len(NAMES["prop"]), size=frames))
    shown, opening = int(rng.integers(frames)), str(rng.choice(OPENINGS))
    kinds = rng.choice(len(NAMES["kind"]), cast, replace=bool(rng.random() < 0.1))
    characters = [draw_character(rng, int(kind), scenes) for kind in kinds]
    told = [
        frame_phrase(NAMES["scene"][scene], NAMES["prop"][prop], rng)
        for scene, prop in zip(scenes, props)
    ]
    who, common = 0, []
    if cast > 1:
        acting = rng.integers(cast, size=frames)
        who, common, opening = int(acting[shown]), [opening] if opening else [], ""
        names = [
            rng.choice(GIVEN_NAMES) if rng.random() < 0.1 else NAMES["kind"][kind] for kind in kinds
        ]
        told = [f"{names[character]} {frame}" for character, frame in zip(acting, told)]
    identity = [*common, *(phrase_of(*character, opening) for character in characters)]
    drawn, said = characters[who]
    seen = {"scene": int(scenes[shown]), "prop": int(props[shown]), "flip": int(rng.integers(2))}
    return {
        "phrases": identity + told,
        "first": len(identity),
        "present": (*range(len(common)), len(common) + who),
        "shown": len(identity) + shown,
        "picture": {**drawn, **seen},
        "said": said,
    }


def draw_character(
    rng: np.random.Generator, kind: int, scenes: np.ndarray
) -> tuple[dict[str, int], dict[str, bool]]:
    """A character's attributes, and which of those of its identity its phrase says."""
    said = {name: bool(rng.random() < chance) for name, chance in SAID.items()}
    drawn = {"kind": kind}
    for name in IDENTITY:
        drawn[name] = (
            int(rng.integers(len(NAMES[name])))
            if said[name]
            else draw_unsaid(rng, name, kind, scenes)
        )
    return drawn, said


def phrase_of(drawn: dict[str, int], said: dict[str, bool], opening: str) -> str:
    """A character's identity phrase."""
    words = {
        name: NAMES[name][value] if said.get(name, True) else None for name, value in drawn.items()
    }
    return identity_phrase(**words, opening=opening)


def draw_unsaid(rng: np.random.Generator, attribute: str, kind: int, scenes: np.ndarray) -> int:
    """An unsaid attribute: what one of the mentioned scenes prefers, the shown one as often as
    another, or what the kind prefers, or any.
    """
    source = rng.random()
    if source < BY_SCENE:
        return int(rng.choice(preferred(int(rng.choice(scenes)), attribute)))
    if source < BY_SCENE + BY_KIND:
        return int(rng.choice(preferred(kind, attribute, by_kind=True)))
    return int(rng.integers(len(NAMES[attribute])))


def vocabulary() -> list[str]:
    """Every phrase part that a caption can hold, for cutting the token table."""
    phrases = chain(*SCENE_PHRASES.values(), *PROP_PHRASES.values())
    return [*OPENINGS, "a with coat", *NAMES["kind"], *COLOURS, *NAMES["pattern"], *phrases]
