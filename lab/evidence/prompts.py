"""Stories of the published benchmarks: ConsiStory+, groups of {subject, style, settings} in YAML,
and ViStoryBench (`vistory.py`).
"""

from pathlib import Path

import yaml

from . import vistory

OWN = Path(__file__).with_name("stories.yaml")


class PromptsError(SystemExit):
    """A prompts file that cannot be read: what is wrong with it, in one line."""


def read_stories(path: Path = OWN) -> list[dict]:
    """[{identity, frames}] of a file whose groups hold stories: `style subject` is the identity,
    every setting a frame.

    A folder, or a .json, holds stories of ViStoryBench; those have plain `captions` as well.
    """
    if path.is_dir() or path.suffix == ".json":
        return _vistory(path)
    try:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PromptsError(
            f"evidence: PROMPTS {path} cannot be read: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(groups, dict) or not all(
        isinstance(group, list) for group in groups.values()
    ):
        raise PromptsError(
            f"evidence: PROMPTS {path} has no groups of stories: write `animals:` and a list"
            " below it"
        )
    return [
        _story(story, f"{path.name}, {name}, story {number}")
        for name, group in groups.items()
        for number, story in enumerate(group, 1)
    ]


def _vistory(path: Path) -> list[dict]:
    stories = []
    for file in vistory.story_files(path):
        try:
            stories.append(vistory.read_story(file))
        except vistory.StoryError as error:
            raise PromptsError(f"evidence: PROMPTS {file} {error}") from None
        except (OSError, ValueError) as error:
            raise PromptsError(
                f"evidence: PROMPTS {file} cannot be read: {' '.join(str(error).split())}"
            ) from None
    if not stories:
        raise PromptsError(f"evidence: PROMPTS {path} has no */story.json")
    return stories


def _story(story: object, where: str) -> dict:
    settings = story.get("settings") if isinstance(story, dict) else None
    if (
        not isinstance(settings, list)
        or len(settings) < 2
        or not str(story.get("subject") or "").strip()
    ):
        raise PromptsError(f"evidence: PROMPTS {where} needs a subject and at least two settings")
    identity = f"{story.get('style') or ''} {story['subject']}".strip()
    return {
        "identity": identity,
        "frames": [" ".join(str(setting).split()) for setting in settings],
    }
