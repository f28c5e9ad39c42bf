"""What the nodes share: the STORY socket and where they stand in the menu."""

from comfy_api.latest import io

StoryType = io.Custom("STORY")
CATEGORY = "story"
