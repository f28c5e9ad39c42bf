"""Results that outlive a stopped run: one JSON file a story, in a folder named by a fingerprint of
all that they depend on.
"""

import ast
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from bench.inprocess import ROOT

from ..progress import replace_whole


def fingerprint(*parts) -> str:
    """16 hex digits of the parts: values that JSON can write, or paths of files, which count by
    their content.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = (
            part.read_bytes()
            if isinstance(part, Path)
            else json.dumps(part, sort_keys=True, ensure_ascii=True).encode()
        )
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def code(*rooms: str) -> str:
    """What the Python of these rooms or files of the repository does: comments, layout, docstrings
    and tooltips do not count.
    """
    trees = []
    for room in rooms:
        path = ROOT / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            trees.append(
                [str(file.relative_to(ROOT)), _bare(ast.parse(file.read_text(encoding="utf-8")))]
            )
    return fingerprint(trees)


def _bare(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.keyword) and node.arg in ("tooltip", "description"):
            node.value = ast.Constant("")
    return ast.dump(tree)


class Shelf:
    """Results by story and row. Both keys are fingerprints of what the story and the row are, never
    their place in a list.
    """

    def __init__(self, folder: Path, *what):
        self.folder = folder / fingerprint(*what)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stories: dict[str, dict[str, dict]] = {}

    def get(self, story: str, row: str) -> dict[str, float] | None:
        return self._rows(story).get(row)

    def put(
        self, story: str, row: str, columns: dict[str, float], picture: Image.Image | None = None
    ) -> None:
        """Keep the columns, and a picture where the row has one to show. Whole files alone are ever
        seen.
        """
        if picture is not None:
            replace_whole(self.picture(story, row), lambda part: picture.save(part, "PNG"))
        rows = self._rows(story)
        rows[row] = columns
        replace_whole(
            self.folder / f"{story}.json",
            lambda part: part.write_text(json.dumps(rows), encoding="utf-8"),
        )

    def picture(self, story: str, row: str) -> Path:
        return self.folder / f"{story}-{row}.png"

    def pixels(self, story: str, row: str) -> np.ndarray:
        """The row's picture of the story as bytes [H, W, 3]."""
        with Image.open(self.picture(story, row)) as picture:
            return np.asarray(picture.convert("RGB"))

    def _rows(self, story: str) -> dict[str, dict]:
        if story not in self._stories:
            path = self.folder / f"{story}.json"
            self._stories[story] = (
                json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            )
        return self._stories[story]
