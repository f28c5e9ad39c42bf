"""Story Score's overlap of colours, against Bhattacharyya's coefficient of plain parts."""

import math

import pytest
import torch

from bench.score_scene import refused, score

RED, GREEN, BLUE = (torch.eye(3)[channel].expand(16, 8, 3) for channel in range(3))


def beside(*parts):
    """A picture [1, 16, 8 n, 3] of plain parts."""
    return torch.cat(parts, dim=1).unsqueeze(0)


def test_colours_overlap_by_their_shares(nodes, vision):
    """Bhattacharyya's coefficient of shares (1/2, 1/2) and (1/2, 1/2) of red in common is 1/2, of
    (1/3, 2/3) and (1/2, 1/2) of the same two sqrt(1/6) + sqrt(1/3). Sizes differ, and neither place
    nor an alpha channel counts.
    """
    pictures = [beside(RED, GREEN), beside(BLUE, RED), beside(GREEN, RED, GREEN)]
    third = math.sqrt(1 / 6) + math.sqrt(1 / 3)
    pairs = (0.5, third, math.sqrt(1 / 6))  # 1 and 2, 1 and 3, 2 and 3
    *_, report, chart, _, colours = score(nodes, pictures, vision("clip"))
    assert colours == pytest.approx(sum(pairs) / 3, abs=1e-9)
    assert f"colours {colours:.3f}: mean overlap of the colours of whole pictures" in report
    assert f"least: picture 2, {(pairs[0] + pairs[2]) / 2:.3f}" in report
    for line, (a, b) in zip(report.splitlines()[-3:], ((0, 1), (0, 2), (1, 2)), strict=True):
        assert line.strip().endswith(f"colours {(pairs[a] + pairs[b]) / 2:.3f}")
    alpha = [torch.cat([part, torch.rand(*part.shape[:3], 1)], dim=-1) for part in pictures]
    assert score(nodes, alpha, vision("clip"))[6] == colours
    told = score(nodes, pictures[:2], vision("clip"), baseline=pictures[1:])
    assert told[6] == pytest.approx(0.5) and f"the baseline has {pairs[2]:.3f}" in told[3]


def test_colours_in_the_mask_do_not_see_the_scene(nodes, vision):
    pictures = torch.cat([beside(RED, GREEN), beside(RED, BLUE), beside(RED, 1 - RED)])
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    whole, inside, outside = (
        score(nodes, pictures, vision("clip"), **more)
        for more in ({}, {"mask": mask}, {"mask": 1 - mask})
    )
    assert whole[6] == pytest.approx(0.5) and inside[6] == pytest.approx(1) and outside[6] == 0
    assert "the colours of the characters" in inside[3] and "least" not in inside[3]
    third = torch.where(mask > 0, 1.0, 0.5)  # the scene at half weight: shares 2/3 and 1/3
    assert score(nodes, pictures, vision("clip"), mask=third)[6] == pytest.approx(2 / 3)
    halved = mask[:, ::2, ::2]  # the edge of a mask of another size is soft
    assert 0.8 < score(nodes, pictures, vision("clip"), mask=halved)[6] < 1
    with refused("mask: mask 2 is empty at its picture's size, 16x16. Connect masks of the"):
        dot = torch.zeros(3, 64, 64)
        dot[0], dot[2] = 1, 1
        dot[1, 0, 0] = 1
        score(nodes, pictures, vision("clip"), mask=dot)
