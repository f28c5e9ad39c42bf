"""Results that outlive a stopped run: a JSON file for each, and a picture where there is one to
show, in a folder named by a fingerprint of all that they depend on.
"""

import json
from pathlib import Path

from PIL import Image

from ..files import fingerprint, replace_whole


class Shelf:
    """Results by story and row. Both keys are fingerprints of what the story and the row are, never
    their place in a list.
    """

    def __init__(self, folder: Path, *depends_on: object):
        self.folder = folder / fingerprint(*depends_on)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, story: str, row: str, kind: str) -> Path:
        return self.folder / f"{story}-{row}.{kind}"

    def get(self, story: str, row: str) -> dict[str, float] | None:
        path = self.path(story, row, "json")
        return json.loads(path.read_text()) if path.exists() else None

    def picture(self, story: str, row: str) -> Image.Image | None:
        path = self.path(story, row, "png")
        return Image.open(path) if path.exists() else None

    def put(self, story: str, row: str, columns: dict, picture: Image.Image | None = None) -> None:
        if picture is not None:
            replace_whole(self.path(story, row, "png"), lambda part: picture.save(part, "PNG"))
        text = json.dumps(columns)
        replace_whole(self.path(story, row, "json"), lambda part: part.write_text(text))
