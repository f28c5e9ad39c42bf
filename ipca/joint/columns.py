"""Where the identity, or the frame's cast, stands among the keys that a CONDITIONING's text gives."""

from dataclasses import dataclass

from ...story.rows import Row


@dataclass(frozen=True)
class Columns:
    """`places` among the text's keys: `length` of them from the CONDITIONING's columns, then `behind` from its second tensor.

    The prompt has so many `frames`.
    """

    places: tuple[int, ...]
    length: int
    behind: int
    frames: int

    def keys_of(self, length: int) -> int:
        """How many keys the text gives where the model has padded its columns to `length`."""
        return length + self.behind


def columns_of(row: Row, length: int, second: int, times: int) -> Columns | None:
    """The columns of a row's identity in a text of `length` columns and a second tensor of `second`, laid behind it `times` times.

    None where the row has no identity, or another node left fewer columns than it says.
    """
    own, own_second = row.identity_positions, row.second_positions if times else ()
    if max(own, default=-1) >= length or max(own_second, default=-1) >= second:
        return None
    places = own + tuple(length + time * second + column for time in range(times) for column in own_second)
    frames = len(row.phrases or row.second) - len(row.identity)
    return Columns(places, length, times * second, frames) if places else None
