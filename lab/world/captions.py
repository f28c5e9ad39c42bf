"""What a picture of the world is called: identity phrases, frame phrases, and which attributes they leave unsaid.

Identity is at stake by design: an attribute that a caption leaves unsaid is drawn, with probability PREFERENCE, from
what one of the mentioned scenes prefers, so that separate prompts for the same character come out differently.
"""

import numpy as np

from .palette import COLOUR_NAMES, PATTERNS
from .render import NAMES

PREFERENCE = 0.65
MAX_FRAMES = 5

OPENINGS = ("A photo of", "A photo of", "A picture of", "A drawing of", "")
PATTERN_WORDS = {"plain": "plain", "striped": "striped", "spotted": "spotted"}
SCENE_PHRASES = {
    "meadow": ("in a meadow", "on a meadow with flowers"),
    "snow": ("in the snow", "in the winter snow"),
    "forest": ("in the forest", "in a deep forest"),
    "village": ("at the edge of a village with a river", "in a village by the river"),
    "beach": ("at the beach", "on a beach by the sea"),
    "city": ("in the city at night", "in a city street at night"),
    "desert": ("in the desert", "in the hot desert"),
    "mountains": ("in the mountains", "high in the mountains"),
    "library": ("in the library", "in a library with books"),
    "moon": ("on the moon", "on the moon under the stars"),
}
PROP_PHRASES = {
    "none": ("", "playing", "standing", "walking"),
    "scarf": ("wearing a scarf",),
    "hat": ("wearing a hat", "wearing a straw hat"),
    "umbrella": ("holding an umbrella", "with an umbrella"),
    "balloon": ("holding a balloon", "with a balloon"),
    "berries": ("foraging berries", "with a basket of berries"),
    "ball": ("playing with a ball", "with a ball"),
    "book": ("reading a book", "with a book"),
}
IDENTITY = ("body", "coat", "pattern")


def preferred(scene: int, attribute: str) -> tuple[int, ...]:
    """What a scene prefers for an attribute: two colours of seven, one pattern of three."""
    if attribute == "pattern":
        return (scene % len(PATTERNS),)
    start = 3 * scene + (2 if attribute == "coat" else 0)
    return (start % len(COLOUR_NAMES), (start + 1) % len(COLOUR_NAMES))


def identity_phrase(kind: str, body: str | None, coat: str | None, pattern: str | None, opening: str) -> str:
    """Say what is known: `A photo of a red fox with a striped green coat`; None leaves an attribute unsaid."""
    creature = " ".join(filter(None, (body, kind)))
    text = f"{opening} a {creature}".strip()
    if coat or pattern:
        text += " with a " + " ".join(filter(None, (PATTERN_WORDS.get(pattern), coat, "coat")))
    return text


def frame_phrase(scene: str, prop: str, rng: np.random.Generator) -> str:
    """One of the ways to say a scene with a prop, for example `wearing a scarf in a meadow`."""
    return f"{rng.choice(PROP_PHRASES[prop])} {rng.choice(SCENE_PHRASES[scene])}".strip()


def draw_story(rng: np.random.Generator, frames: int) -> dict:
    """A caption of `frames` frames with one of them shown: its phrases, which is shown, and the picture's attributes."""
    scenes = rng.choice(len(NAMES["scene"]), frames, replace=False)
    props = np.where(rng.random(frames) < 0.3, 0, rng.integers(len(NAMES["prop"]), size=frames))
    shown = int(rng.integers(frames))
    said = {attribute: rng.random() < chance for attribute, chance in zip(IDENTITY, (0.6, 0.55, 0.4))}
    drawn = {attribute: draw_attribute(rng, attribute, None if said[attribute] else scenes) for attribute in IDENTITY}
    kind = int(rng.integers(len(NAMES["kind"])))
    words = {attribute: NAMES[attribute][drawn[attribute]] if said[attribute] else None for attribute in IDENTITY}
    phrases = [identity_phrase(NAMES["kind"][kind], **words, opening=str(rng.choice(OPENINGS)))]
    phrases += [frame_phrase(NAMES["scene"][scene], NAMES["prop"][prop], rng) for scene, prop in zip(scenes, props)]
    picture = {"kind": kind, **drawn, "scene": int(scenes[shown]), "prop": int(props[shown]), "flip": int(rng.integers(2))}
    return {"phrases": phrases, "shown": shown, "picture": picture, "said": said}


def draw_attribute(rng: np.random.Generator, attribute: str, scenes: np.ndarray | None) -> int:
    """Uniform, or, for an unsaid attribute, with probability PREFERENCE what one of the mentioned scenes prefers."""
    if scenes is not None and rng.random() < PREFERENCE:
        return int(rng.choice(preferred(int(rng.choice(scenes)), attribute)))
    return int(rng.integers(len(NAMES[attribute])))


def vocabulary() -> list[str]:
    """Every phrase part that a caption can hold, for cutting the token table."""
    texts = [*OPENINGS, "a with coat", *NAMES["kind"], *COLOUR_NAMES, *PATTERN_WORDS.values()]
    for phrases in (*SCENE_PHRASES.values(), *PROP_PHRASES.values()):
        texts += phrases
    return texts
