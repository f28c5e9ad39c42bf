"""Files that are told apart by their content and replaced as a whole, results that are kept in such
files, and a bar for long runs.
"""

import hashlib
import json
import pickle
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from bench.inprocess import ROOT


def progress(steps: Iterable | None, name: str, total: int, unit: str) -> tqdm:
    """The steps, if any, with a bar and an estimate, every 20 seconds where no one looks on."""
    interval = 0.1 if sys.stderr.isatty() else 20
    return tqdm(steps, desc=name, total=total, unit=f" {unit}", mininterval=interval)


def fingerprint(*parts: object) -> str:
    """16 hex digits of the parts: values that JSON can write, or paths of files, which count by
    their content.
    """
    digest = hashlib.sha256()
    for part in parts:
        is_file = isinstance(part, Path)
        content = part.read_bytes() if is_file else json.dumps(part, sort_keys=True).encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def code(*rooms: str) -> str:
    """A fingerprint of the Python in these rooms or files of the repository, as Git has it: every
    character counts.
    """
    paths = [ROOT / room for room in rooms]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return fingerprint({str(file.relative_to(ROOT)): fingerprint(file) for file in files})


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a file beside `path`, then put it in its place at once: a stop in between
    leaves the old one.
    """
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


class Shelf:
    """Results that outlive a stopped run, numbers and a picture if it is to be shown: a file for
    each, in a folder named by a fingerprint of all that they depend on.
    """

    def __init__(self, folder: Path, *depends_on: object):
        self.folder = folder / fingerprint(*depends_on)
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> tuple[dict[str, float], Image.Image | None]:
        """No numbers where there is nothing."""
        path = self.folder / key
        return pickle.loads(path.read_bytes()) if path.exists() else ({}, None)

    def put(self, key: str, numbers: dict[str, float], picture: Image.Image | None = None) -> None:
        told = pickle.dumps((numbers, picture))
        replace_whole(self.folder / key, lambda part: part.write_bytes(told))
