"""ViStoryBench's stories in our form: the characters of a `story.json` are the cast, its shots are
the frames.

Its form (arXiv 2505.24862): "Characters" by name, each with `prompt_en`; "Shots", a list whose
fields hold a text, or a list of names, per language. A frame is the shot's static description, its
setting and its perspective; the plot is no picture. Who appears in the shot is mentioned, and
`@nobody` where no one does.
"""

import re
from importlib import import_module
from pathlib import Path

from bench import inprocess

# in the frame's order
SHOWN = ("Static Shot Description", "Setting Description", "Shot Perspective Design")


class StoryError(ValueError):
    """A file that is no story: what is wrong with it, after its name."""


def story_files(path: Path) -> list[Path]:
    """A story.json itself, or those of a folder of numbered stories, in their order."""

    def number(file: Path) -> tuple[int, str]:
        return int((re.search(r"\d+", file.parent.name) or ["0"])[0]), file.parent.name

    return [path] if path.is_file() else sorted(path.glob("*/story.json"), key=number)


def story(told: object) -> dict:
    """{identity, frames, captions}: captions are the frames in plain words."""
    characters, shots = _field(told, "Characters"), _field(told, "Shots")
    if not isinstance(characters, dict) or not isinstance(shots, list):
        raise StoryError(" needs Characters, by their names, and Shots, a list")
    cast = {name: _plain(about, "prompt_en") for name, about in characters.items()}
    if unsaid := [name for name, text in cast.items() if not text]:
        raise StoryError(f" has no prompt_en for {unsaid[0]}")
    mention = import_module(f"{inprocess.load_pack().__name__}.story.mentions").mention
    captions, frames = [], []
    for number, shot in enumerate(shots, 1):
        parts = [_plain(_field(shot, field), "en").rstrip(".;, ") for field in SHOWN]
        if not parts[0]:
            raise StoryError(f" has no {SHOWN[0]} in English in shot {number}")
        captions.append(", ".join(filter(None, parts)))
        # whom the file does not describe stays a plain word
        there = _field(_field(shot, "Characters Appearing"), "en")
        there = [str(name).strip() for name in there] if isinstance(there, list) else []
        names = [name_of(name) for name in there if name in cast]
        frames.append(mention(captions[-1], names) if names else f"@nobody {captions[-1]}")
    if len(frames) < 2:
        raise StoryError(" needs at least two shots")
    identity = "\n".join(f"@{name_of(name)}: {text}" for name, text in cast.items())
    return {"identity": identity, "frames": frames, "captions": captions}


def name_of(character: str) -> str:
    """One word, as a cast's names are: `Little Red` is Little_Red, which a prompt has as two words
    again.
    """
    return re.sub(r"\W+", "_", character).strip("_")


def _field(told: object, name: str) -> object:
    return told.get(name) if isinstance(told, dict) else None


def _plain(told: object, field: str) -> str:
    """A field's text in one line, in which brackets are no weights and @ no mention; empty where
    there is none.
    """
    text = _field(told, field)
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return re.sub(r"(?<!\\)([()@])", r"\\\1", words)
