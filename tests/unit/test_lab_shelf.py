"""What the evidence keeps: found again by content, never mixed with what was made otherwise."""

import numpy as np
import pytest
from PIL import Image

from lab import files
from lab.files import Shelf, fingerprint


def test_a_fingerprint_follows_the_content_alone(tmp_path):
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    first.write_bytes(b"weights"), second.write_bytes(b"weights")
    assert fingerprint(first, {"b": 1, "a": 2.0}) == fingerprint(second, {"a": 2.0, "b": 1})
    second.write_bytes(b"weights of another day")
    assert fingerprint(first) != fingerprint(second)
    assert len({fingerprint(*parts) for parts in ([1, 2], [12], [[1, 2]], ["1", "2"], [2, 1])}) == 5


def test_code_counts_by_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "alone.py").write_text("a = 1\n")
    (tmp_path / "room/part.py").write_text("b = 1\n")
    before = files.code("room", "alone.py")
    (tmp_path / "room/notes.md").write_text("not code\n")
    assert files.code("room", "alone.py") == before
    (tmp_path / "room/part.py").write_text("b = 2\n")
    changed = files.code("room", "alone.py")
    (tmp_path / "room/part.py").rename(tmp_path / "room/other.py")
    assert len({before, changed, files.code("room", "alone.py"), files.code("room")}) == 4


def test_results_and_pictures_are_found_again_and_other_weights_have_their_own(tmp_path):
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    Shelf(tmp_path, "weights").put("key", {"identity": 0.25, "none": float("nan")}, picture)
    Shelf(tmp_path, "weights").put("other key", {"identity": 0.5})
    again = Shelf(tmp_path, "weights")
    numbers, kept = again.get("key")
    assert numbers["identity"] == 0.25 and np.isnan(numbers["none"])
    assert np.array_equal(np.asarray(kept), np.asarray(picture))
    assert again.get("other key") == ({"identity": 0.5}, None)
    assert again.get("another key") == Shelf(tmp_path, "other weights").get("key") == ({}, None)


def test_a_stop_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path, "weights")
    shelf.put("key", {"identity": 0.25})

    def stopped(self, content):
        with self.open("wb") as file:
            file.write(content[:5])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", stopped)
        for key in ("key", "other key"):
            with pytest.raises(KeyboardInterrupt):
                shelf.put(key, {"identity": 0.5})
    again = Shelf(tmp_path, "weights")
    assert again.get("key") == ({"identity": 0.25}, None) and again.get("other key") == ({}, None)
