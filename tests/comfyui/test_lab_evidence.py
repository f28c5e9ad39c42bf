"""The evidence goes on where it was stopped: real renderings of a few steps, judged by an untrained
judge.
"""

from dataclasses import replace

import pytest
import torch
from PIL import Image


@pytest.fixture
def evidence(pack, monkeypatch):
    from lab.evidence import demo as evidence
    from lab.training import judge

    torch.manual_seed(0)
    untrained = judge.Judge()
    monkeypatch.setattr(judge, "load", lambda: untrained)
    monkeypatch.setattr(evidence, "WORKERS", 1)
    evidence.equipment.cache_clear()
    yield evidence
    evidence.equipment.cache_clear()


@pytest.fixture
def rendered(evidence, monkeypatch):
    """The labels of the rows that are rendered, in order; `stop_at` renderings it is stopped by
    hand.
    """
    tell, seen = evidence.tell, []

    def spy(job):
        if len(seen) == spy.stop_at:
            raise KeyboardInterrupt
        seen.append((job[0], job[2].label))
        return tell(job)

    spy.stop_at = None
    monkeypatch.setattr(evidence, "tell", spy)
    return seen, spy


def small_jobs(evidence, labels="de", stories=2):
    setting = replace(evidence.UNSAID, steps=1)
    drawn = evidence.draw_stories(stories)
    return [
        (setting, seed, drawn[seed], evidence.ROWS[name])
        for seed in range(stories)
        for name in labels
    ]


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(evidence, rendered, tmp_path):
    from lab.evidence.shelf import Shelf

    seen, spy = rendered
    todo = small_jobs(evidence)
    whole = Shelf(tmp_path / "whole", "w")
    evidence.run(todo, whole)
    assert len(seen) == 4
    seen.clear()

    spy.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        evidence.run(todo, Shelf(tmp_path / "pieces", "w"))
    spy.stop_at = None
    seen.clear()
    pieces = Shelf(tmp_path / "pieces", "w")
    evidence.run(todo, pieces)
    assert seen == [(1, "SVR + IPCA")], "three were kept"

    for job in todo:
        a, b = (shelf.get(*evidence.keys(job)) for shelf in (whole, pieces))
        assert a.keys() == b.keys() and (a["seconds"] > 0 and b["seconds"] > 0)
        assert all(
            a[name] == pytest.approx(b[name], nan_ok=True) for name in a if name != "seconds"
        )
        assert (whole.pixels(*evidence.keys(job)) == pieces.pixels(*evidence.keys(job))).all()


def test_only_what_is_new_is_rendered(evidence, rendered, tmp_path):
    from lab.evidence.shelf import Shelf

    seen, _ = rendered
    evidence.run(small_jobs(evidence), Shelf(tmp_path, "w"))
    seen.clear()
    evidence.run(small_jobs(evidence, "dec"), Shelf(tmp_path, "w"))
    assert seen == [(0, "one prompt, no SVR"), (1, "one prompt, no SVR")]
    seen.clear()
    changed = [
        (setting, seed, {**story, "frames": ["in the snow", *story["frames"][1:]]}, row)
        for setting, seed, story, row in small_jobs(evidence)
    ]
    evidence.run(changed[:1], Shelf(tmp_path, "w"))
    assert len(seen) == 1, "another text is another story"
    evidence.run(small_jobs(evidence)[:1], Shelf(tmp_path, "weights of another day"))
    assert len(seen) == 2


def test_the_page_tells_what_is_there(evidence, tmp_path):
    """A page of a run that was stopped in the middle: the means are those of the kept columns."""
    from lab.evidence import cast, places
    from lab.evidence.report import COLUMNS
    from lab.evidence.shelf import Shelf

    shelf, columns = (
        Shelf(tmp_path / "kept", "w"),
        {*COLUMNS, *cast.COLUMNS, *places.COLUMNS, "stated", "seconds"},
    )
    todo = list(evidence.jobs(3, sweeps=False))
    stopped = next(
        place for place, job in enumerate(todo) if job[1] == 2 and job[3] == evidence.ROWS["g"]
    )
    for job in todo[:stopped]:
        shelf.put(
            *evidence.keys(job),
            dict.fromkeys(columns, 0.25 + 0.25 * (job[1] % 2)),
            Image.new("RGB", (160, 32)),
        )
    evidence.write(todo, shelf, 3, tmp_path / "out")
    text = (tmp_path / "out/evidence.md").read_text(encoding="utf-8")
    assert "| (d) SVR | 3 | 0.333 ± 0.083 |" in text
    assert "| (g) SVR + IPCA, own noise | 2 | 0.375 ± 0.125 |" in text
    assert f"| (e) SVR + IPCA | 2 {6 * '| 0.375 ± 0.125 '}|\n" in text, "the cast's"
    assert (
        "identity (e)/(a) = 1.000" in text
        and "alignment (up0 alone, strength 100)/(a) = 1.125" in text
    ), ".375 of .333"
    assert f"| SVR + IPCA, place not named | 2 {6 * '| 0.375 ± 0.125 '}|\n" in text
    assert (tmp_path / "out/evidence-cast.png").is_file() and (
        tmp_path / "out/evidence-place.png"
    ).is_file()
    assert (tmp_path / "out/evidence-ipca.png").stat().st_size > 1000


def test_a_story_with_a_cast_is_told_and_judged(evidence, tmp_path):
    """A real rendering of two steps; the story's text is one that Story Prompt reads, with every
    character in a frame.
    """
    from lab.evidence import cast
    from lab.evidence.shelf import Shelf

    (story,) = cast.draw_casts(1, evidence.FRAMES, seed=3)
    assert {frame["kind"] for frame in story["shown"]} == set(story["cast"]) and len(
        story["frames"]
    ) == evidence.FRAMES
    job = (replace(evidence.CAST, steps=2), 0, story, evidence.ROWS["e"])
    shelf = Shelf(tmp_path, "w")
    evidence.run([job], shelf)
    assert {*shelf.get(*evidence.keys(job))} == {*cast.COLUMNS, "seconds"}
    assert shelf.pixels(*evidence.keys(job)).shape == (32, 160, 3)


def test_a_place_is_measured_as_it_was_drawn(evidence):
    """Drawn pictures in place of rendered ones: what is said of them is known."""
    import numpy as np

    from lab.evidence import places
    from lab.world.render import NAMES, Attributes, Renderer

    (story,) = places.draw_places(1, evidence.FRAMES, seed=3)
    (plain,) = places.draw_places(1, evidence.FRAMES, seed=3, named=False)
    assert (
        story["scenes"] == plain["scenes"]
        and story["scenes"].count(story["place"]) == places.AT_PLACE
    )
    assert (
        f"@{story['place']}" in story["identity"] and f"@{story['place']}" not in plain["identity"]
    )
    assert [
        frame.replace(f"@{story['place']}", story["place"]) for frame in story["frames"]
    ] == plain["frames"]

    def measured(scenes, flips):
        rows = [
            {
                "kind": NAMES["kind"].index(story["kind"]),
                "body": 0,
                "coat": 1,
                "pattern": 0,
                "prop": 0,
                "flip": flip,
            }
            | {"scene": NAMES["scene"].index(scene)}
            for scene, flip in zip(scenes, flips)
        ]
        pictures, _ = Renderer()(Attributes.stack(rows))
        return places.measure_places(
            torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2) / 127.5 - 1, story
        )

    right = measured(story["scenes"], [1] * evidence.FRAMES)
    assert (
        right["turned"],
        right["look"],
        right["place"],
        right["others' scene"],
        right["place elsewhere"],
    ) == (0, 0, 1, 1, 0)
    there = [index for index, scene in enumerate(story["scenes"]) if scene == story["place"]]
    one_turned = [int(index == there[0]) for index in range(evidence.FRAMES)]
    assert measured(story["scenes"], one_turned)["turned"] == pytest.approx(2 / 3)
    assert (
        measured([story["place"]] * evidence.FRAMES, [0] * evidence.FRAMES)["place elsewhere"] == 1
    )
