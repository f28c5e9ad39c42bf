"""What the evidence keeps: found again by content, never mixed with what was made otherwise."""

import numpy as np
import pytest
from PIL import Image

from lab.evidence import shelf as shelves
from lab.evidence.shelf import Shelf, fingerprint


def test_a_fingerprint_follows_the_content_alone(tmp_path):
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    first.write_bytes(b"weights"), second.write_bytes(b"weights")
    assert fingerprint(first, {"b": 1, "a": 2.0}) == fingerprint(second, {"a": 2.0, "b": 1})
    second.write_bytes(b"weights of another day")
    assert fingerprint(first) != fingerprint(second)
    assert len({fingerprint(*parts) for parts in ([1, 2], [12], [[1, 2]], ["1", "2"], [2, 1])}) == 5


def test_code_counts_by_what_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "ROOT", tmp_path)
    room = tmp_path / "room"
    room.mkdir()

    def of(text: str) -> str:
        (room / "part.py").write_text(text, encoding="utf-8")
        return shelves.code("room")

    plain = of("def f(x):\n    return x + 1\n")
    assert (
        of('"""Doc."""\n\n\ndef f(x):\n    """More."""\n    # why\n    return (x + 1)\n') == plain
    )
    assert of("def f(x):\n    return x + 2\n") != plain
    assert of('g(1, tooltip="a")\n') == of('g(1, tooltip="b")\n') != of('g(2, tooltip="b")\n')


def test_results_and_pictures_are_found_again_and_other_weights_have_their_own(tmp_path):
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    Shelf(tmp_path, "weights").put(
        "story", "row", {"identity": 0.25, "none": float("nan")}, picture
    )
    Shelf(tmp_path, "weights").put("story", "other row", {"identity": 0.5})
    again = Shelf(tmp_path, "weights")
    assert again.get("story", "row")["identity"] == 0.25 and np.isnan(
        again.get("story", "row")["none"]
    )
    assert again.get("story", "other row") == {"identity": 0.5}
    assert np.array_equal(again.pixels("story", "row"), np.asarray(picture))
    assert (
        again.get("another story", "row") is None
        and Shelf(tmp_path, "other weights").get("story", "row") is None
    )


def test_a_stop_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path, "weights")
    shelf.put("story", "row", {"identity": 0.25})

    def stopped(self, text, **_):
        self.open("w").write(text[:5])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", stopped)
        with pytest.raises(KeyboardInterrupt):
            shelf.put("story", "other row", {"identity": 0.5})
    assert Shelf(tmp_path, "weights").get("story", "row") == {"identity": 0.25}


@pytest.mark.parametrize(
    "low, high", [(0.0, 0.95), (-0.043, 0.0517), (0.961, 1.004), (-1.0, 8.99), (0.1, 1.0999)]
)
def test_the_axis_of_a_chart_has_a_few_round_values_within_it(low, high):
    from lab.evidence.dose import _steps

    steps = _steps(low, high)
    assert 3 <= len(steps) <= 10 and low <= steps[0] and steps[-1] <= high
    gaps = {round(after - before, 9) for before, after in zip(steps, steps[1:])}
    assert len(gaps) == 1 and gaps.pop() / 10 ** np.floor(np.log10(high - low)) in (
        0.1,
        0.2,
        0.25,
        0.5,
        1,
        2,
        pytest.approx(0.2),
        pytest.approx(0.25),
    )
