"""The evidence goes on where it was stopped: real renderings of a few steps, judged by an untrained
judge.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

COLUMNS = ("scene", "prop", "kind", "alignment", "stated")
CAST = ("kind", "colours", "pattern", "scene", "prop", "absent")
PLACE = ("turned", "look", "place", "others' scene", "place elsewhere", "others alike")


@pytest.fixture
def evidence(pack, monkeypatch):
    from lab.evidence import demo
    from lab.training import judge

    torch.manual_seed(0)
    untrained = judge.Judge()
    monkeypatch.setattr(judge, "load", lambda: untrained)
    demo.equipment.cache_clear()
    yield demo
    demo.equipment.cache_clear()


@pytest.fixture
def rendered(evidence):
    """What is rendered, in order, and the function that renders; `stop_at` renderings it is stopped
    by hand.
    """
    seen = []

    def spy(job):
        if len(seen) == spy.stop_at:
            raise KeyboardInterrupt
        seen.append((job.seed, job.row.label))
        return evidence.tell(job)

    spy.stop_at = None
    return seen, spy


def small_jobs(evidence, labels="de", stories=2):
    from lab.evidence.loop import Job

    setting = replace(evidence.UNSAID, steps=1)
    drawn = evidence.draw_stories(stories)
    return [
        Job(setting, seed, drawn[seed], evidence.ROWS[name])
        for seed in range(stories)
        for name in labels
    ]


def pixels(shelf, job):
    return np.asarray(shelf.get(job.key())[1])


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(evidence, rendered, tmp_path):
    from lab.evidence.loop import run
    from lab.files import Shelf

    seen, spy = rendered
    todo = small_jobs(evidence)
    whole = Shelf(tmp_path / "whole", "w")
    run(todo, whole, spy)
    assert len(seen) == 4
    seen.clear()

    spy.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        run(todo, Shelf(tmp_path / "pieces", "w"), spy)
    spy.stop_at = None
    seen.clear()
    pieces = Shelf(tmp_path / "pieces", "w")
    run(todo, pieces, spy)
    assert seen == [(1, "SVR + IPCA")], "three were kept"

    for job in todo:
        a, b = (shelf.get(job.key())[0] for shelf in (whole, pieces))
        assert a.keys() == b.keys() and (a["seconds"] > 0 and b["seconds"] > 0)
        same = a.keys() - {"seconds", "peak GiB"}
        assert all(a[name] == pytest.approx(b[name], nan_ok=True) for name in same)
        assert (pixels(whole, job) == pixels(pieces, job)).all()


def test_only_what_is_new_is_rendered(evidence, rendered, tmp_path):
    from lab.evidence.loop import run
    from lab.files import Shelf

    seen, spy = rendered
    run(small_jobs(evidence), Shelf(tmp_path, "w"), spy)
    seen.clear()
    run(small_jobs(evidence, "dec"), Shelf(tmp_path, "w"), spy)
    assert seen == [(0, "one prompt, no SVR"), (1, "one prompt, no SVR")]
    seen.clear()
    first = small_jobs(evidence)[0]
    changed = {**first.story, "frames": ["in the snow", *first.story["frames"][1:]]}
    run([first._replace(story=changed)], Shelf(tmp_path, "w"), spy)
    assert len(seen) == 1, "another text is another story"
    run([first], Shelf(tmp_path, "weights of another day"), spy)
    assert len(seen) == 2


def test_the_quick_form_is_rows_a_to_g(evidence):
    """40 stories of 7 rows; the other parts come after those, or are asked for by name."""
    from lab.evidence.options import options

    def stages(**environment):
        return evidence.jobs(40, options([], environment).sweeps)

    (quick,) = stages(SWEEPS="0")
    assert len(quick) == 280 and {job.setting for job in quick} == {evidence.UNSAID}
    assert [job.row.label for job in quick[:7]] == [row.label for row in evidence.ROWS.values()]
    first, second, swept = stages()
    assert first == quick and len(second) == 40 * 22 and len(swept) == 40 * 29
    _, casts = stages(SWEEPS="casts")
    assert len(casts) == 80 and all("cast" in job.story for job in casts)
    with pytest.raises(SystemExit, match="colours is none of doses, said, casts"):
        stages(SWEEPS="casts,colours")


def test_the_page_tells_what_is_there(evidence, monkeypatch, tmp_path, capsys):
    """A page of a run that was stopped in the middle: the means are those of the kept columns."""
    from lab.evidence import loop
    from lab.evidence.options import options

    def stopped(job):
        raise KeyboardInterrupt

    (tmp_path / "judge").write_bytes(b"weights")
    monkeypatch.setattr(evidence.judging, "WEIGHTS", tmp_path / "judge")
    monkeypatch.setattr(evidence, "tell", stopped)
    parts = "doses,said,casts,places"
    study = evidence.study(options([], {"STORIES": "3", "SWEEPS": parts, "WORKERS": "1"}))
    shelf = loop.Shelf(tmp_path / "output/evidence/kept", *study.depends_on)
    columns = {*COLUMNS, *CAST, *PLACE, "identity", "colour", "colour, scenes right", "seconds"}
    main, more = study.stages
    for job in [*main[:-1], *(job for job in more if job.seed < 2)]:
        value = 0.25 + 0.25 * (job.seed % 2)
        shelf.put(job.key(), dict.fromkeys(columns, value), Image.new("RGB", (160, 32)))
    loop.go(study, tmp_path)
    folder = tmp_path / "output/evidence"
    text, printed = (folder / "evidence.md").read_text(encoding="utf-8"), capsys.readouterr().out
    for line in (
        "| (d) SVR | 3 | 0.333 ± 0.083 |",
        "| (g) SVR + IPCA, own noise | 2 | 0.375 ± 0.125 |",
        f"| (e) SVR + IPCA | 2 {6 * '| 0.375 ± 0.125 '}|\n",  # the cast's
        "identity (e)/(a) = 1.000",
        "alignment (up0 alone, strength 100)/(a) = 1.125",  # .375 of .333
        f"| SVR + IPCA, place not named | 2 {6 * '| 0.375 ± 0.125 '}|\n",
    ):
        assert line in text and line in printed
    assert "stopped" in printed
    # 1 - 0.25 with 0.25, twice, and 0.5 with 0.5: 2ab / (a + b)
    assert "| (d) SVR | 0.667 ± 0.083 | 0.333 ± 0.083 | 0.417 ± 0.042 | 0.05 | - |" in printed
    assert all((folder / f"evidence-{name}.png").is_file() for name in ("cast", "place", "g"))
    with Image.open(folder / "evidence-ipca.png") as chart:
        assert chart.size == (920, 580)
    assert Image.open(folder / "evidence-d.png").size == (480, 3 * (3 * 32 + 2))


def test_the_committed_page_is_written_by_the_program(pack):
    from bench.inprocess import ROOT
    from lab.evidence import report
    from lab.evidence.results import read

    page = report.page(read(ROOT / "docs/evidence.json")) + report.transformer()
    assert (ROOT / "docs/evidence.md").read_text(encoding="utf-8") == page


def test_numbers_are_read_as_they_were_written(evidence, tmp_path):
    from lab.evidence.results import as_json, read

    nan = float("nan")
    told = {
        "SVR": pd.DataFrame({"identity": [1 / 3, nan], "stated": [nan, nan]}),
        "said, SVR": pd.DataFrame({"stated": [nan, 0.5]}),
        "said, SVR + IPCA": pd.DataFrame(index=range(2)),
    }
    text = as_json(told)
    assert json.loads(text)["rows"] == {
        "SVR": [{"identity": 1 / 3, "stated": None}, None],
        "said, SVR": [None, {"stated": 0.5}],
        "said, SVR + IPCA": [None, None],
    }
    (tmp_path / "a.json").write_text(text)
    found = read(tmp_path / "a.json")
    assert as_json(found) == text and found.keys() == told.keys()
    assert found["said, SVR"].equals(told["said, SVR"])


def test_a_story_with_a_cast_is_told_and_judged(evidence, tmp_path):
    """A real rendering of two steps; the story's text is one that Story Prompt reads, with every
    character in a frame.
    """
    from lab.evidence.loop import Job, run
    from lab.evidence.stories import FRAMES, draw_casts
    from lab.files import Shelf

    (story,) = draw_casts(1, seed=3)
    assert {frame["kind"] for frame in story["shown"]} == set(story["cast"]) and len(
        story["frames"]
    ) == FRAMES
    job = Job(replace(evidence.CAST, steps=2), 0, story, evidence.ROWS["e"])
    shelf = Shelf(tmp_path, "w")
    run([job], shelf, evidence.tell)
    assert {*shelf.get(job.key())[0]} == {*CAST, "seconds", "peak GiB"}
    assert pixels(shelf, job).shape == (32, 160, 3)


def test_a_rank_correlation_and_its_error_are_scipys_and_a_bootstraps(pack):
    from scipy import stats

    from lab.evidence.likeness import correlations

    rng = np.random.default_rng(1)
    equal = rng.random(40)
    ways = {"whole pictures": equal + rng.normal(0, 0.5, 40), "masked": equal, "worse": -(equal**3)}
    values = pd.DataFrame(ways)
    whole, masked, worse = correlations(values, equal, resamples=2000)
    found = stats.bootstrap(
        (values["whole pictures"], equal),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=2,
    )
    assert whole["rank"] == pytest.approx(
        stats.spearmanr(values["whole pictures"], equal).statistic, abs=1e-4
    )
    assert whole["error"] == pytest.approx(found.standard_error, rel=0.15)
    assert (masked["rank"], masked["error"], worse["rank"]) == (1, 0, -1)
    assert masked["gain over whole pictures"] == pytest.approx(1 - whole["rank"], abs=1e-4)
    assert masked["its error over whole pictures"] == whole["error"]


def test_a_crop_is_the_square_around_the_mask(pack):
    from lab.evidence.likeness import cropped

    pictures = torch.zeros(1, 16, 16, 3)
    masks = torch.zeros(1, 16, 16)
    pictures[:, 4:8, 2:6], masks[:, 4:8, 2:6] = 1.0, 1.0
    assert (cropped(pictures, masks) == 1).all()


def test_a_place_is_measured_as_it_was_drawn(evidence):
    """Drawn pictures in place of rendered ones: what is said of them is known."""
    from lab.evidence.stories import AT_PLACE, FRAMES, draw_places, measure
    from lab.world.render import NAMES, Attributes, Renderer

    (story,) = draw_places(1, seed=3)
    (plain,) = draw_places(1, seed=3, named=False)
    assert story["scenes"] == plain["scenes"] and story["scenes"].count(story["place"]) == AT_PLACE
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
        return measure(
            torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2) / 127.5 - 1,
            story,
            judge=None,
        )

    right = measured(story["scenes"], [1] * FRAMES)
    assert (
        right["turned"],
        right["look"],
        right["place"],
        right["others' scene"],
        right["place elsewhere"],
    ) == (0, 0, 1, 1, 0)
    there = [index for index, scene in enumerate(story["scenes"]) if scene == story["place"]]
    one_turned = [int(index == there[0]) for index in range(FRAMES)]
    assert measured(story["scenes"], one_turned)["turned"] == pytest.approx(2 / 3)
    assert measured([story["place"]] * FRAMES, [0] * FRAMES)["place elsewhere"] == 1
