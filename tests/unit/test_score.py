"""Story Score's mathematics against closed forms, and its report and chart on matrices made by
hand.
"""

import math

import pytest
import torch
from PIL import Image
from story_pack.score import chart, likeness
from story_pack.score.report import Score, in_words


def rows_at(*degrees):
    """Unit vectors in the plane at these angles, of different lengths: cosines are cosines of the
    angles between.
    """
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1) * torch.arange(
        1, len(degrees) + 1
    ).unsqueeze(1)


def test_cosines_of_known_angles():
    found = likeness.cosines(rows_at(0.0, 60.0, 90.0), rows_at(0.0, 30.0))
    expected = [[math.cos(math.radians(a - b)) for b in (0, 30)] for a in (0, 60, 90)]
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_mean_pairwise_is_over_different_pictures_alone():
    matrix = likeness.cosines(*[rows_at(0.0, 60.0, 90.0)] * 2)
    pairs = [math.cos(math.radians(degrees)) for degrees in (60, 90, 30)]
    assert likeness.mean_pairwise(matrix) == pytest.approx(sum(pairs) / 3)
    assert likeness.mean_pairwise(matrix) != pytest.approx(float(matrix.mean())), (
        "a picture's likeness to itself does not count"
    )
    assert math.isnan(likeness.mean_pairwise(torch.ones(1, 1, dtype=torch.float64)))


def test_the_odd_one_is_least_like_the_others():
    assert likeness.odd_one(likeness.cosines(*[rows_at(0.0, 5.0, 80.0, 10.0)] * 2)) == 2
    assert likeness.odd_one(likeness.cosines(*[rows_at(70.0, 5.0, 8.0)] * 2)) == 0


@pytest.mark.parametrize(
    "degrees",
    [(0.0,), (0.0, 80.0), (30.0, 30.0, 30.0), (0.0, 120.0, 240.0)],
    ids=["one", "two", "the same", "a circle"],
)
def test_there_is_not_always_an_odd_one(degrees):
    assert likeness.odd_one(likeness.cosines(*[rows_at(*degrees)] * 2)) is None


def test_likeness_does_not_depend_on_the_order():
    torch.manual_seed(1)
    rows = torch.randn(7, 16)
    order = torch.randperm(7)
    first, second = (likeness.cosines(part, part) for part in (rows, rows[order]))
    assert likeness.mean_pairwise(first) == pytest.approx(likeness.mean_pairwise(second))
    assert order[likeness.odd_one(second)] == likeness.odd_one(first)


def test_the_background_becomes_the_same_noise_for_all():
    torch.manual_seed(2)
    noise = likeness.seeded_noise(8)
    pictures, masks = torch.rand(2, 16, 24, 3), torch.zeros(2, 16, 24)
    masks[:, 4:8, 4:8] = 1
    masks[0, 10:12] = 0.5
    out = likeness.on_noise(pictures, masks, noise)
    assert torch.equal(out[:, 4:8, 4:8], pictures[:, 4:8, 4:8]), "the character stays as it is"
    background = (masks == 0).all(0)
    assert torch.equal(out[0][background], out[1][background])
    assert torch.equal(
        out[1, ::2, ::3], torch.where(masks[1, ::2, ::3, None] > 0, pictures[1, ::2, ::3], noise)
    )
    torch.testing.assert_close(out[0, 10:12], (pictures[0, 10:12] + out[1, 10:12]) / 2)
    assert torch.equal(noise, likeness.seeded_noise(8)) and noise.std() > 0.2


def test_the_report_names_everything_and_what_is_not_measured():
    matrix = likeness.cosines(*[rows_at(0.0, 5.0, 80.0)] * 2)
    fits = torch.tensor([[0.5, 0.2, 0.1], [0.1, 0.4, 0.1], [0.3, 0.2, 0.15]], dtype=torch.float64)
    text = in_words(
        Score(matrix, fits), ["in a meadow", "in the snow", "on the moon"], masked=False
    )
    assert "likeness 0.476: mean cosine of 3 pairs" in text  # cos 5, 80 and 75 degrees
    assert "odd one: picture 3, likeness 0.216" in text
    assert "fit 0.350" in text and "(caption 1 fits it better: 0.300) - on the moon" in text
    bare = in_words(Score(matrix, None, "clip not connected"), [], masked=True)
    assert "fit: not measured, clip not connected" in bare and "only the characters" in bare
    single = in_words(
        Score(torch.ones(1, 1, dtype=torch.float64), None, "clip not connected"), [], masked=False
    )
    assert "a single picture has no other" in single and "nan" not in single


def test_the_report_names_the_picture_least_like_the_reference():
    """At 60 degrees from the others' reference a cosine of 0.5; where all are equally like it none
    is named.
    """
    matrix = likeness.cosines(*[rows_at(0.0, 5.0, 60.0)] * 2)
    to_reference = likeness.cosines(rows_at(0.0, 5.0, 60.0), rows_at(0.0)).mean(1)
    text = in_words(Score(matrix, None, "clip not connected", to_reference), [], masked=False)
    mean = (1 + math.cos(math.radians(5)) + 0.5) / 3
    assert (
        f"reference {mean:.3f}: mean cosine of each picture and the reference; least like it:"
        " picture 3, 0.500" in text
    )
    assert "2: likeness 0.785, reference 0.996" in text  # cosines of 5 and 55 degrees, and of 5
    alike = in_words(Score(matrix, None, "clip not connected", torch.ones(3)), [], masked=False)
    assert "reference 1.000: mean cosine" in alike and "least like it" not in alike


def test_gain_is_zero_at_the_baseline_and_one_at_the_same_picture():
    """Cosines of known angles: a story spread by 30 degrees against a baseline spread by 60, (cos
    30 - 1/2) / (1 - 1/2).
    """
    story, plain = (likeness.cosines(*[rows_at(0.0, degrees)] * 2) for degrees in (30.0, 60.0))
    found = Score(story, baseline=plain)
    assert found.gain == pytest.approx(math.sqrt(3) - 1, abs=1e-6)
    assert Score(plain, baseline=story).gain == pytest.approx(
        (0.5 - math.sqrt(3) / 2) / (1 - math.sqrt(3) / 2), abs=1e-5
    )
    assert (
        Score(plain, baseline=plain).gain == 0
        and Score(torch.ones(3, 3).double(), baseline=plain).gain == 1
    )
    nothing_left = Score(story, baseline=torch.ones(2, 2).double())
    assert (
        math.isnan(nothing_left.gain)
        and nothing_left.gains is None
        and math.isnan(Score(story).gain)
    )


def test_each_picture_is_held_against_its_own_frame_of_the_baseline():
    story, plain = (
        likeness.cosines(*[rows_at(*degrees)] * 2)
        for degrees in ((0.0, 10.0, 50.0), (0.0, 60.0, 90.0))
    )
    cos = lambda *degrees: sum(math.cos(math.radians(d)) for d in degrees) / len(degrees)  # noqa: E731
    own, before = (cos(10, 50), cos(10, 40), cos(50, 40)), (cos(60, 90), cos(60, 30), cos(90, 30))
    expected = torch.tensor([(a - b) / (1 - b) for a, b in zip(own, before)], dtype=torch.float64)
    torch.testing.assert_close(Score(story, baseline=plain).gains, expected, atol=1e-6, rtol=0)
    report = in_words(Score(story, baseline=plain), [], masked=False)
    assert all(
        f"{number}: likeness {own[number - 1]:.3f}, gain {expected[number - 1]:.2f}" in report
        for number in (1, 2, 3)
    )
    assert torch.equal(Score(plain, baseline=plain).gains, torch.zeros(3, dtype=torch.float64))
    fewer = Score(story, baseline=plain[:2, :2])
    assert fewer.gains is None and fewer.gain == pytest.approx(
        (cos(10, 50, 40) - 0.5) / 0.5, abs=1e-6
    )


def colour_at(picture, x, y):
    return picture.getpixel((int(x), int(y)))


def test_the_chart_shows_the_thumbnails_and_marks_the_odd_one():
    paints = ["red", "lime", "blue", "yellow"]
    thumbnails = [Image.new("RGB", (64, 64), paint) for paint in paints]
    matrix = likeness.cosines(*[rows_at(0.0, 5.0, 80.0, 8.0)] * 2)
    drawn = chart.draw_chart(thumbnails, Score(matrix))
    counts = {
        paint: sum(
            count
            for count, found in drawn.getcolors(1 << 24)
            if found == Image.new("RGB", (1, 1), paint).getpixel((0, 0))
        )
        for paint in paints
    }
    assert min(counts.values()) > 10_000, "each picture stands above and left of the matrix"
    mark = Image.new("RGB", (1, 1), chart.MARK).getpixel((0, 0))
    marked = [
        y
        for y in range(drawn.height)
        if sum(colour_at(drawn, x, y) == mark for x in range(drawn.width)) > drawn.width / 2
    ]
    blue = [
        y
        for y in range(drawn.height)
        if colour_at(drawn, chart.MARGIN + chart.CELL[1] // 2, y) == (0, 0, 255)
    ]
    assert min(marked) <= min(blue) and max(marked) >= max(blue), (
        "the frame runs round the third row"
    )


def test_the_chart_has_a_column_for_the_reference():
    thumbnails = [Image.new("RGB", (64, 64), "red")] * 3
    matrix = likeness.cosines(*[rows_at(0.0, 5.0, 8.0)] * 2)
    without = chart.draw_chart(thumbnails, Score(matrix))
    drawn = chart.draw_chart(thumbnails, Score(matrix, to_reference=torch.tensor([0.9, 0.4, 0.8])))
    left, cell = (
        chart.MARGIN + 5 * chart.CELL[1],
        chart.CELL[1],
    )  # thumbnails, three pictures, their mean
    assert drawn.width == left + cell + chart.MARGIN and without.width < drawn.width
    mark = Image.new("RGB", (1, 1), chart.MARK).getpixel((0, 0))
    top = drawn.height - 3 * cell - chart.MARGIN - 40  # below the matrix is its legend
    rows = [
        (y - top) // cell
        for y in range(top, drawn.height)
        if any(colour_at(drawn, x, y) == mark for x in range(left, left + cell))
    ]
    assert set(rows) == {1}, "its number is red where a picture is least like it"


def test_the_chart_has_a_column_for_the_gain():
    """As wide as the mean's column, and its words fit the sheet where there are few pictures."""
    thumbnails = [Image.new("RGB", (64, 64), "red")] * 3
    matrix, plain = (
        likeness.cosines(*[rows_at(*degrees)] * 2)
        for degrees in ((0.0, 5.0, 9.0), (0.0, 60.0, 90.0))
    )
    without, drawn = (
        chart.draw_chart(thumbnails, Score(matrix, baseline=baseline)) for baseline in (None, plain)
    )
    column = chart.MARGIN + 5 * chart.CELL[1]  # thumbnails, three pictures, their mean
    inked = [
        x
        for x in range(drawn.width)
        if any(sum(colour_at(drawn, x, y)) < 200 for y in range(200, drawn.height - 60))
    ]
    assert without.width == column + chart.MARGIN and column < max(inked) < column + chart.CELL[1]
    few = chart.draw_chart(
        thumbnails[:2], Score(matrix[:2, :2], matrix[:2, :2], baseline=plain[:2, :2])
    )
    assert all(
        sum(colour_at(few, x, y)) > 700
        for x in range(few.width - chart.MARGIN + 2, few.width)
        for y in range(80)
    )


@pytest.mark.parametrize("count", [1, 2, 40, 200])
def test_a_chart_of_any_number_of_pictures_has_a_size_that_can_be_shown(count):
    torch.manual_seed(3)
    rows = torch.randn(count, 8)
    drawn = chart.draw_chart(
        [Image.new("RGB", (30, 20), "red")] * count,
        Score(
            likeness.cosines(rows, rows), likeness.cosines(rows, rows), baseline=-torch.eye(count)
        ),
    )
    assert max(drawn.size) < 1600 and min(drawn.size) > 100
