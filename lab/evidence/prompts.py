"""Stories of the published benchmarks: ConsiStory+, groups of {subject, style, settings} in YAML,
and ViStoryBench, a `story.json` for each story (`vistory.py`).
"""

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from . import vistory

OWN = Path(__file__).with_name("stories.yaml")


def read_stories(path: Path = OWN) -> list[dict]:
    """[{identity, frames}] of a file whose groups hold stories. A folder, or a .json, holds stories
    of ViStoryBench; those have plain `captions` as well.
    """
    if not path.is_dir() and path.suffix != ".json":
        return _read(path, yaml.safe_load, _consistory)
    stories = [_read(file, json.loads, vistory.story) for file in vistory.story_files(path)]
    if not stories:
        raise SystemExit(f"evidence: PROMPTS {path} has no */story.json")
    return stories


def _read(path: Path, parse: Callable, told: Callable):
    """What cannot be read, or is no story, is said in one line."""
    try:
        found = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise SystemExit(f"evidence: PROMPTS {path} cannot be read: {words}") from None
    try:
        return told(found)
    except vistory.StoryError as error:
        raise SystemExit(f"evidence: PROMPTS {path}{error}") from None


def _consistory(groups: object) -> list[dict]:
    """`style subject` is the identity, every setting a frame."""
    if not isinstance(groups, dict) or not all(isinstance(held, list) for held in groups.values()):
        raise vistory.StoryError(" has no groups of stories: write `animals:` and a list below it")
    stories = []
    for name, group in groups.items():
        for number, story in enumerate(group, 1):
            told = story if isinstance(story, dict) else {}
            subject = str(told.get("subject") or "").strip()
            settings = told.get("settings")
            if not subject or not isinstance(settings, list) or len(settings) < 2:
                raise vistory.StoryError(
                    f", {name}, story {number} needs a subject and at least two settings"
                )
            frames = [" ".join(str(setting).split()) for setting in settings]
            identity = f"{told.get('style') or ''} {told['subject']}".strip()
            stories.append({"identity": identity, "frames": frames})
    return stories
