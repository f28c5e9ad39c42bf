"""Which frame each row of a CONDITIONING is: an entry in its dict with one record per batch row.

ComfyUI's own conditioning nodes copy the dict and keep entries that they do not know. So which row
of a batch belongs to which story and cast is read, not guessed from embeddings, and this holds for
text encoders without causality as well.
"""

from dataclasses import dataclass
from typing import Any

from .references import Reference

ROWS_KEY = "one_prompt_one_story_rows"


@dataclass(frozen=True)
class Row:
    """One batch row: a frame's prompt, encoded. Positions are counted from 0 in that prompt, before
    any repetition.

    `identity`: the identity's phrases, by which the story is recognised.
    `schedule`: which range of a scheduled CLIP.
    `present`: which of the identity's phrases hold for the frame: the common text and its cast.
    `phrases`: the positions of every phrase of the prompt, the identity's first, in any of the
        CLIP's text encoders.
    `length`: how many positions the prompt has. Where frames differ in it, the shorter prompts are
    repeated for a UNet, and `padded` with zeros for a transformer.
    `second`, `second_length`: the same for the second text tensor that some transformers read.
    `references`: the pictures that the frame sees; Story Batch hands them to the model.
    `factors`: (position, factor) by which the token's key and value are to be multiplied, where the
    model loses how long its embedding is; positions that are not named keep theirs.
    `adapted`: how many positions an adapter in the model makes of the prompt, where it has one.
    `phrases` and `factors` are counted in these then.
    """

    identity: tuple[str, ...]
    schedule: int
    present: tuple[int, ...]
    phrases: tuple[tuple[int, ...], ...]
    length: int
    padded: bool = False
    second: tuple[tuple[int, ...], ...] = ()
    second_length: int = 0
    references: tuple[Reference, ...] = ()
    factors: tuple[tuple[int, float], ...] = ()
    adapted: int = 0

    @property
    def identity_positions(self) -> tuple[int, ...]:
        """Positions of the common text and the frame's cast. Empty where no encoder fills the first
        tensor.
        """
        return self._of_the_present(self.phrases)

    @property
    def second_positions(self) -> tuple[int, ...]:
        """The same in the second text tensor."""
        return self._of_the_present(self.second)

    @property
    def lengths(self) -> tuple[int, int]:
        """How many positions the prompt has, in both tensors."""
        return self.length, self.second_length

    def _of_the_present(self, phrases: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
        return (
            tuple(sorted({position for phrase in self.present for position in phrases[phrase]}))
            if phrases
            else ()
        )


def rows_of(extra: dict[str, Any], count: int) -> tuple[Row, ...] | None:
    """The records in a conditioning's dict, or None where it has lost them or another node changed
    its `count` of rows.
    """
    rows = extra.get(ROWS_KEY)
    return (
        rows
        if isinstance(rows, tuple)
        and len(rows) == count
        and all(isinstance(row, Row) for row in rows)
        else None
    )
