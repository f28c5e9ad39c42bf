"""ViStoryBench's stories in our form: the characters of a `story.json` are the cast, its shots are
the frames.

Its form (arXiv 2505.24862): "Characters" by name, each with `prompt_en`; "Shots", a list whose
fields hold a text, or a list of names, per language. A frame is the shot's static description, its
setting and its perspective; the plot is no picture. Who appears in the shot is mentioned, and
`@nobody` where no one does.
"""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bench import inprocess

SHOWN = (
    "Static Shot Description",
    "Setting Description",
    "Shot Perspective Design",
)  # in the frame's order
WHO = "Characters Appearing"
Mention = Callable[[str, list[str]], str]


class StoryError(ValueError):
    """A file that is no story: what is wrong with it."""


def story_files(path: Path) -> list[Path]:
    """A story.json itself, or those of a folder of numbered stories, in their order."""
    if path.is_file():
        return [path]
    number = re.compile(r"\d+")
    return sorted(
        path.glob("*/story.json"),
        key=lambda file: (int((number.search(file.parent.name) or ["0"])[0]), file.parent.name),
    )


def read_story(path: Path) -> dict:
    """{identity, frames, captions}: captions are the frames in plain words. Raises StoryError,
    OSError and ValueError of json.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    characters, shots = (
        told.get(name) if isinstance(told, dict) else None for name in ("Characters", "Shots")
    )
    if not isinstance(characters, dict) or not isinstance(shots, list):
        raise StoryError("needs Characters, by their names, and Shots, a list")
    cast = {name: _described(name, about) for name, about in characters.items()}
    captions = [_caption(number, shot) for number, shot in enumerate(shots, 1)]
    if len(captions) < 2:
        raise StoryError("needs at least two shots")
    mention: Mention = import_module(f"{inprocess.load_pack().__name__}.story.mentions").mention
    frames = [_frame(shot, caption, cast, mention) for shot, caption in zip(shots, captions)]
    return {"identity": "\n".join(cast.values()), "frames": frames, "captions": captions}


def name_of(character: str) -> str:
    """One word, as a cast's names are: `Little Red` is Little_Red, which a prompt has as two words
    again.
    """
    return re.sub(r"\W+", "_", character).strip("_")


def _described(name: str, about: object) -> str:
    text = _plain(about.get("prompt_en") if isinstance(about, dict) else None)
    if not text:
        raise StoryError(f"has no prompt_en for {name}")
    return f"@{name_of(name)}: {text}"


def _caption(number: int, shot: object) -> str:
    parts = [_plain(_english(shot, field)).rstrip(".;, ") for field in SHOWN]
    if not parts[0]:
        raise StoryError(f"has no {SHOWN[0]} in English in shot {number}")
    return ", ".join(filter(None, parts))


def _frame(shot: object, caption: str, cast: dict[str, str], mention: Mention) -> str:
    """The caption with its cast mentioned. Whom the file does not describe stays a plain word in
    it.
    """
    there = _english(shot, WHO)
    names = [
        name_of(name)
        for each in (there if isinstance(there, list) else [])
        if (name := str(each).strip()) in cast
    ]
    return mention(caption, names) if names else f"@nobody {caption}"


def _english(shot: object, field: str) -> object:
    found = shot.get(field) if isinstance(shot, dict) else None
    return found.get("en") if isinstance(found, dict) else None


def _plain(text: object) -> str:
    """One line, in which brackets are no weights and @ no mention."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return re.sub(r"(?<!\\)([()@])", r"\\\1", words)
