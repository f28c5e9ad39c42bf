"""The demo model's training can be done in pieces: nothing of its state is lost in between."""

import pytest
import torch


@pytest.fixture
def train(pack, tmp_path, monkeypatch):
    """Trains in batches of 16 to so many images, and returns what is kept."""
    import lab.training.train as training
    from lab.training import loop

    monkeypatch.setattr(loop, "CHECKPOINTS", tmp_path / "checkpoints")

    def run(images: int, **options) -> dict:
        training.train(training.Options(images=images, batch=16, rate=1e-3, **options))
        return torch.load(loop.checkpoint(training.NAME), weights_only=True)

    return run


def flat(value, name="") -> dict:
    """All leaves of nested dicts and lists, by their path."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    return (
        {name: value}
        if items is None
        else {
            path: leaf
            for key, child in items
            for path, leaf in flat(child, f"{name}/{key}").items()
        }
    )


def test_training_goes_on_where_it_stopped(train):
    first = train(32)
    assert (first["state"]["seen"], first["state"]["step"]) == (32, 2)

    stopped_at_once = train(64, minutes=0.0)
    for part in ("model", "ema", "optimizers", "state"):
        before, after = flat(first[part]), flat(stopped_at_once[part])
        assert before.keys() == after.keys()
        for path, leaf in before.items():
            same = torch.equal(leaf, after[path]) if torch.is_tensor(leaf) else leaf == after[path]
            assert same, f"{part}{path} was lost"

    second = train(64)
    assert (second["state"]["seen"], second["state"]["step"]) == (64, 4)
    counts = {int(state["step"]) for state in second["optimizers"][0]["state"].values()}
    assert counts == {4}, "Adam counts on"
    name = "tokens.weight"
    assert not torch.equal(first["model"][name], second["model"][name]) and not torch.equal(
        second["ema"][name], second["model"][name]
    )


def test_training_can_start_from_what_is_shipped(train):
    """Nothing is trained yet: its moving average is the shipped one, whose pictures count."""
    from comfy.utils import load_torch_file

    from demo.model import WEIGHTS

    saved, shipped = (
        train(10**9, minutes=0.0, from_shipped=True),
        load_torch_file(str(WEIGHTS), safe_load=True),
    )
    assert (
        saved["state"]["seen"] == saved["state"]["begun"] >= 340_000 and saved["state"]["step"] == 0
    )
    assert torch.equal(saved["model"]["token_ids"], shipped.pop("token_ids"))
    mine = saved["ema"]
    assert torch.equal(mine.pop("tokens.weight"), shipped.pop("token_rows").float())
    assert mine.keys() == shipped.keys() and all(
        torch.equal(value, shipped[name].float()) for name, value in mine.items()
    )


def test_the_learning_rate_ends_with_the_images_or_the_minutes_that_are_given():
    from lab.training.loop import share_done

    state = {"seen": 1500, "begun": 1000, "seconds": 90.0}
    assert share_done(state, 2000, float("inf")) == 0.5 and share_done(state, 2000, 2.0) == 0.75


def test_the_same_weights_are_exported_to_the_same_file(pack, tmp_path):
    """Whatever order the library writes the record in: the file is one that it reads, with all of
    it.
    """
    from safetensors import safe_open

    from lab.training import export

    weights = {"a": torch.arange(6.0).view(2, 3).half(), "b": torch.tensor([3], dtype=torch.int32)}
    record = {name: number for number, name in enumerate("hgfedcba")}
    paths = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for path in paths:
        export.write(weights, record, path)
    assert len({path.read_bytes() for path in paths}) == 1
    with safe_open(paths[0], "pt") as file:
        assert file.metadata() == {name: str(number) for name, number in record.items()}
        assert all(torch.equal(file.get_tensor(name), value) for name, value in weights.items())
