"""What was measured on a story's pictures, as numbers and as text."""

import math
from dataclasses import dataclass

import torch

from .likeness import gain_over, lowest_one, mean_pairwise, odd_one, to_others

LINE_BREAK = "  \n"  # Preview Any reads Markdown, where two spaces keep lines apart


@dataclass(frozen=True)
class Score:
    """`likeness` [n, n] between pictures; `fits` [n, n] of pictures to captions, or None where that
    was not measured.

    `to_reference` [n]: each picture's mean likeness to the reference pictures, or None where there
    are none. `baseline` [m, m]: likeness between the baseline's pictures, or None where there are
    none. `colours` [n, n] and `baseline_colours` [m, m]: overlap of their colours.
    """

    likeness: torch.Tensor
    fits: torch.Tensor | None = None
    why_no_fit: str = ""
    to_reference: torch.Tensor | None = None
    baseline: torch.Tensor | None = None
    colours: torch.Tensor | None = None
    baseline_colours: torch.Tensor | None = None

    @property
    def mean_likeness(self) -> float:
        return mean_pairwise(self.likeness)

    @property
    def mean_fit(self) -> float:
        return math.nan if self.fits is None else float(self.fits.diagonal().mean())

    @property
    def mean_colours(self) -> float:
        return math.nan if self.colours is None else mean_pairwise(self.colours)

    @property
    def mean_baseline(self) -> float:
        return math.nan if self.baseline is None else mean_pairwise(self.baseline)

    @property
    def gain(self) -> float:
        """The whole story's gain over its baseline; nan where there is none, or nothing to gain."""
        return float(
            gain_over(*torch.tensor([self.mean_likeness, self.mean_baseline], dtype=torch.float64))
        )

    @property
    def gains(self) -> torch.Tensor | None:
        """Each picture's gain over the baseline's picture of the same frame: [n]. None where the
        two have different numbers of pictures.
        """
        if (
            math.isnan(self.gain)
            or self.baseline is None
            or len(self.baseline) != len(self.likeness)
        ):
            return None
        return gain_over(to_others(self.likeness), to_others(self.baseline))

    @property
    def odd(self) -> int | None:
        return odd_one(self.likeness)

    @property
    def least_in_colours(self) -> int | None:
        return None if self.colours is None else odd_one(self.colours)

    @property
    def least_like_reference(self) -> int | None:
        return None if self.to_reference is None else lowest_one(self.to_reference)


def in_words(score: Score, captions: list[str], masked: bool) -> str:
    """The report: both means, the odd one, and one line per picture."""
    count = score.likeness.shape[0]
    lines = [_likeness_line(score, count, masked), _odd_line(score, count)]
    if score.fits is None:
        lines.append(f"fit: not measured, {score.why_no_fit}")
    else:
        lines.append(
            f"fit {score.mean_fit:.3f}: mean cosine of each picture and its own caption (CLIP-T)"
        )
    if score.to_reference is not None:
        lines.append(_reference_line(score.to_reference, score.least_like_reference))
    if score.baseline is not None:
        lines.append(_baseline_line(score))
    if score.colours is not None and count > 1:
        lines.append(_colours_line(score, masked))
    gains = score.gains
    lines.append("")
    own = to_others(score.likeness).tolist()
    colours = [] if score.colours is None else to_others(score.colours).tolist()
    for index in range(count):
        parts = [] if count == 1 else [f"likeness {own[index]:.3f}"]
        if score.fits is not None:
            parts.append(f"fit {score.fits[index, index]:.3f}{_better_caption(score.fits, index)}")
        if score.to_reference is not None:
            parts.append(f"reference {score.to_reference[index]:.3f}")
        if gains is not None:
            parts.append(f"gain {gains[index]:.2f}")
        if colours and count > 1:
            parts.append(f"colours {colours[index]:.3f}")
        caption = f" - {captions[index]}" if captions else ""
        lines.append(f"{index + 1}: {', '.join(parts) or 'nothing to compare with'}{caption}")
    return LINE_BREAK.join(lines)


def _likeness_line(score: Score, count: int, masked: bool) -> str:
    if count == 1:
        return "likeness: not measured, a single picture has no other to compare with"
    what = ", only the characters" if masked else ""
    pairs = count * (count - 1) // 2
    return (
        f"likeness {score.mean_likeness:.3f}: mean cosine of {pairs} pair{'s' if pairs > 1 else ''}"
        f" of pictures{what} (CLIP-I)"
    )


def _odd_line(score: Score, count: int) -> str:
    if score.odd is None:
        return "odd one: none, " + (
            "three pictures are needed" if count < 3 else "all are equally alike"
        )
    own = to_others(score.likeness)
    others = (own.sum() - own[score.odd]) / (count - 1)
    return (
        f"odd one: picture {score.odd + 1}, likeness {own[score.odd]:.3f} to the others, which have"
        f" {others:.3f}"
    )


def _reference_line(to_reference: torch.Tensor, least: int | None) -> str:
    said = f"reference {to_reference.mean():.3f}: mean cosine of each picture and the reference"
    return (
        said
        if least is None
        else f"{said}; least like it: picture {least + 1}, {to_reference[least]:.3f}"
    )


def _baseline_line(score: Score) -> str:
    if math.isnan(score.mean_likeness):
        return "gain: not measured, a single picture has no other to compare with"
    if math.isnan(score.gain):
        return (
            "gain: not measured, the baseline's pictures are already identical"
            f" ({score.mean_baseline:.3f})"
        )
    said = (
        f"gain {score.gain:.2f}: the baseline's likeness is {score.mean_baseline:.3f}; 0 is as"
        " alike as the baseline, 1 identical"
    )
    if score.gains is None:
        count, others = (
            len(score.likeness),
            len(score.baseline) if score.baseline is not None else 0,
        )
        said += f"; only for the whole: the baseline's {others} pictures do not pair with {count}"
    return said


def _colours_line(score: Score, masked: bool) -> str:
    what = "of the characters" if masked else "of whole pictures, the scene's too"
    said = f"colours {score.mean_colours:.3f}: mean overlap of the colours {what}"
    if score.colours is not None and score.least_in_colours is not None:
        own = to_others(score.colours)[score.least_in_colours]
        said += f"; least: picture {score.least_in_colours + 1}, {own:.3f}"
    if score.baseline_colours is not None:
        said += f"; the baseline has {mean_pairwise(score.baseline_colours):.3f}"
    return said


def _better_caption(fits: torch.Tensor, index: int) -> str:
    best = int(fits[index].argmax())
    return (
        ""
        if fits[index, best] <= fits[index, index]
        else f" (caption {best + 1} fits it better: {fits[index, best]:.3f})"
    )
