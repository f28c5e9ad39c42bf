"""Whose a row of a CONDITIONING is: an entry that the story's CONDITIONING carries in its dict, one record a row.

ComfyUI's own conditioning nodes copy the dict and keep entries that they do not know. So which row of a batch belongs to
which frame and cast is read off, not guessed from embeddings, and holds for text encoders without causality as well.
"""

from dataclasses import dataclass

ROWS_KEY = "one_prompt_one_story_rows"


@dataclass(frozen=True)
class Row:
    """One row: a frame's prompt, encoded. Token columns are counted from 0 in that prompt before any repetition.

    `identity` are the identity's phrases, the story's mark; `schedule` counts the ranges of a scheduled CLIP; `frame` is
    counted from 0. `present` says which of the identity's phrases hold for the frame: the common text and its cast.
    `phrases` are the columns of every phrase of the prompt, the identity's first, in any of the CLIP's text encoders;
    `begins` those of the begin tokens; `length` is how many columns the prompt has. Where frames differ in it, the shorter
    prompts are repeated for a UNet, and `padded` with zeros for a transformer. `second` and `second_length` say the same of
    the second text tensor that some transformers read.
    """

    identity: tuple[str, ...]
    schedule: int
    frame: int
    present: tuple[int, ...]
    begins: tuple[int, ...]
    phrases: tuple[tuple[int, ...], ...]
    length: int
    padded: bool = False
    second: tuple[tuple[int, ...], ...] = ()
    second_length: int = 0

    @property
    def identity_columns(self) -> tuple[int, ...]:
        """Columns of the common text and the frame's cast."""
        return self._of_the_present(self.phrases)

    @property
    def second_columns(self) -> tuple[int, ...]:
        """The same columns in the second text tensor."""
        return self._of_the_present(self.second)

    @property
    def remembered(self) -> tuple[int, ...]:
        """Columns of the begin tokens, the common text and the frame's cast: what IPCA strengthens in a UNet."""
        return tuple(sorted({*self.begins, *self.identity_columns}))

    @property
    def lengths(self) -> tuple[int, int]:
        """How many columns the prompt has, in both tensors."""
        return self.length, self.second_length

    def _of_the_present(self, phrases: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
        """None where no encoder fills the tensor."""
        return tuple(sorted({column for phrase in self.present for column in phrases[phrase]})) if phrases else ()


def rows_of(extra: dict, count: int) -> tuple[Row, ...] | None:
    """The records in a conditioning's dict, or None where it has lost them or another node changed its `count` of rows."""
    rows = extra.get(ROWS_KEY)
    return rows if isinstance(rows, tuple) and len(rows) == count and all(isinstance(row, Row) for row in rows) else None
