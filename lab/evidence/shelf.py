"""Results that outlive a stopped run: one JSON file per story, in a folder named by a fingerprint
of all that they depend on.
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
        self._stories: dict[str, dict[str, dict]] = {}

    def get(self, story: str, row: str) -> dict[str, float] | None:
        return self._rows(story).get(row)

    def put(
        self, story: str, row: str, columns: dict[str, float], picture: Image.Image | None = None
    ) -> None:
        """Keep the columns, and a picture where the row has one to show."""
        if picture is not None:
            replace_whole(self.picture(story, row), lambda part: picture.save(part, "PNG"))
        rows = self._rows(story)
        rows[row] = columns
        text = json.dumps(rows)
        replace_whole(self.folder / f"{story}.json", lambda part: part.write_text(text))

    def picture(self, story: str, row: str) -> Path:
        return self.folder / f"{story}-{row}.png"

    def _rows(self, story: str) -> dict[str, dict]:
        if story not in self._stories:
            path = self.folder / f"{story}.json"
            self._stories[story] = json.loads(path.read_text()) if path.exists() else {}
        return self._stories[story]
