"""Story Score's gain over a baseline, and baselines that give none."""

import math

import pytest
import torch

from bench.score_scene import refused, score


@pytest.mark.parametrize("masked", [False, True])
def test_gain_over_a_baseline(nodes, vision, pictures, masked):
    """Measured as the story is, one mask for all on both; a baseline may have other sizes and come
    in pieces.
    """
    mask = torch.zeros(1, 32, 32)
    mask[:, 4:28, 4:28] = 1
    more = {"mask": mask} if masked else {}
    torch.manual_seed(6)
    far = [torch.rand(2, 32, 32, 3), torch.rand(3, 24, 24, 3)]
    before, plain = (
        score(nodes, far, vision("clip"), **more),
        score(nodes, pictures, vision("clip"), **more),
    )
    told = score(nodes, pictures, vision("clip"), baseline=far, **more)
    expected = (plain[0] - before[0]) / (1 - before[0])
    assert (
        expected > 0.1
        and told[5] == pytest.approx(expected, abs=1e-6)
        and told[:3:2] == plain[:3:2]
    )
    assert (
        f"gain {expected:.2f}: the baseline's likeness is {before[0]:.3f}" in told[3]
        and told[4].shape[2] > plain[4].shape[2]
    )
    assert math.isnan(plain[5]) and "gain" not in plain[3]
    back = score(nodes, far, vision("clip"), baseline=pictures, **more)[5]
    assert back == pytest.approx((before[0] - plain[0]) / (1 - plain[0]), abs=1e-5) and back < 0
    assert score(nodes, pictures, vision("clip"), baseline=pictures, **more)[5] == 0
    assert score(nodes, pictures[:1].repeat(3, 1, 1, 1), vision("clip"), baseline=far, **more)[
        5
    ] == pytest.approx(1, abs=1e-6)


def test_masks_of_a_baseline_are_its_own(nodes, vision, pictures):
    """The character in the middle of the story's pictures and at the top of the baseline's: where
    its masks are there, the gain is 0.
    """
    masks, others = torch.zeros(5, 32, 32), torch.zeros(5, 32, 32)
    masks[:, 8:24], others[:, :16] = 1, 1
    shifted = pictures.roll(-8, dims=1)
    alone = score(nodes, shifted, vision("clip"), mask=others)[0]
    story = score(nodes, pictures, vision("clip"), mask=masks)[0]
    found = score(
        nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=others
    )[5]
    assert alone != pytest.approx(story, abs=1e-5) and found == pytest.approx(
        (story - alone) / (1 - alone), abs=1e-6
    )
    with refused(
        "baseline: its pictures have no masks, those of images have one each. Connect baseline_mask"
    ):
        score(nodes, pictures, vision("clip"), mask=masks, baseline=shifted)
    with refused("baseline_mask: the pictures of images have no mask"):
        score(nodes, pictures, vision("clip"), baseline=shifted, baseline_mask=others)
    with refused("baseline_mask: there are 2 masks for 5 pictures"):
        score(
            nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=others[:2]
        )
    with refused("baseline_mask: mask 1 is empty"):
        score(
            nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=0 * others
        )
    with refused("baseline_mask: there are no baseline pictures"):
        score(nodes, pictures, vision("clip"), mask=masks, baseline_mask=others)


def test_a_baseline_that_gives_no_gain(nodes, vision, pictures):
    with refused("baseline: its likeness needs two pictures or more, received 1"):
        score(nodes, pictures, vision("clip"), baseline=pictures[:1])
    with refused("baseline: picture 2 has no usable embedding"):
        score(
            nodes,
            pictures,
            vision("clip"),
            baseline=torch.stack([pictures[0], pictures[1] * math.nan]),
        )
    _, _, _, report, _, gain, _ = score(nodes, pictures[:1], vision("clip"), baseline=pictures[:1])
    assert math.isnan(gain) and "gain: not measured, a single picture" in report
    _, _, _, report, _, gain, _ = score(
        nodes, pictures, vision("clip"), baseline=pictures[:1].repeat(5, 1, 1, 1)
    )
    assert (
        math.isnan(gain)
        and "gain: not measured, the baseline's pictures are already identical (1.000)" in report
    )
    report = score(nodes, pictures, vision("clip"), baseline=1 - pictures[:3])[3]
    assert (
        report.count("gain") == 1
        and "only for the whole: the baseline's 3 pictures do not pair with 5" in report
    )
