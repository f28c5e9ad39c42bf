"""Stories of the published benchmarks in our form, {identity, frames}.

*ConsiStory+*: groups of {subject, style, settings} in YAML; `style subject` is the identity, every
setting a frame. *ViStoryBench* (arXiv 2505.24862): a `story.json` for each story with "Characters"
by name, each with `prompt_en`, and "Shots", a list whose fields hold a text, or a list of names,
per language. The characters are the cast. A frame is the shot's static description, its setting and
its perspective; the plot is no picture. Who appears in the shot is mentioned, and `@nobody` where
no one does. `captions` are its frames in plain words.
"""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import yaml

from bench import inprocess

OWN = Path(__file__).with_name("stories.yaml")
# of a shot, in the frame's order
SHOWN = ("Static Shot Description", "Setting Description", "Shot Perspective Design")


class StoryError(Exception):
    """A file that holds no stories: what is wrong with it, after its name."""


def read_stories(path: Path = OWN) -> list[dict]:
    """Of ConsiStory+'s file, or of ViStoryBench: a `.json`, or a folder of numbered stories."""
    if not path.is_dir() and path.suffix != ".json":
        return _read(path, yaml.safe_load, consistory)
    files = [path] if path.is_file() else sorted(path.glob("*/story.json"), key=_number)
    if not files:
        raise SystemExit(f"evidence: PROMPTS {path} has no */story.json")
    return [_read(file, json.loads, vistory) for file in files]


def _number(file: Path) -> tuple[int, str]:
    """Of a story's folder, 2 before 10."""
    return int((re.search(r"\d+", file.parent.name) or ["0"])[0]), file.parent.name


def _read(path: Path, parse: Callable, told: Callable):
    """What cannot be read, or is no story, is said in one line."""
    try:
        return told(parse(path.read_text(encoding="utf-8")))
    except StoryError as error:
        raise SystemExit(f"evidence: PROMPTS {path}{error}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise SystemExit(f"evidence: PROMPTS {path} cannot be read: {words}") from None


def consistory(groups: object) -> list[dict]:
    if not isinstance(groups, dict) or not all(isinstance(held, list) for held in groups.values()):
        raise StoryError(" has no groups of stories: write `animals:` and a list below it")
    stories = []
    for name, group in groups.items():
        for number, story in enumerate(group, 1):
            subject, settings = _field(story, "subject"), _field(story, "settings")
            known = str(subject or "").strip()
            if not known or not isinstance(settings, list) or len(settings) < 2:
                needs = "needs a subject and at least two settings"
                raise StoryError(f", {name}, story {number} {needs}")
            frames = [" ".join(str(setting).split()) for setting in settings]
            identity = f"{story.get('style') or ''} {subject}".strip()
            stories.append({"identity": identity, "frames": frames})
    return stories


def vistory(told: object) -> dict:
    characters, shots = _field(told, "Characters"), _field(told, "Shots")
    if not isinstance(characters, dict) or not isinstance(shots, list):
        raise StoryError(" needs Characters, by their names, and Shots, a list")
    cast = {name: _plain(about, "prompt_en") for name, about in characters.items()}
    if unsaid := [name for name, text in cast.items() if not text]:
        raise StoryError(f" has no prompt_en for {unsaid[0]}")
    if len(shots) < 2:
        raise StoryError(" needs at least two shots")
    mention = import_module(f"{inprocess.load_pack().__name__}.story.mentions").mention
    captions, frames = [], []
    for number, shot in enumerate(shots, 1):
        parts = [_plain(_field(shot, field), "en").rstrip(".;, ") for field in SHOWN]
        if not parts[0]:
            raise StoryError(f" has no {SHOWN[0]} in English in shot {number}")
        captions.append(", ".join(filter(None, parts)))
        there = _field(_field(shot, "Characters Appearing"), "en")
        there = map(str.strip, map(str, there)) if isinstance(there, list) else ()
        # whom the file does not describe stays a plain word
        names = [_one_word(name) for name in there if name in cast]
        frames.append(mention(captions[-1], names) if names else f"@nobody {captions[-1]}")
    identity = "\n".join(f"@{_one_word(name)}: {text}" for name, text in cast.items())
    return {"identity": identity, "frames": frames, "captions": captions}


def _one_word(character: str) -> str:
    """As a cast's names are: `Little Red` is Little_Red, which a prompt has as two words again."""
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
