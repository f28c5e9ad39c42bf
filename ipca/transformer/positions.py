"""Where the identity, or the frame's cast, is among the keys that a CONDITIONING's text gives."""

from dataclasses import dataclass

from ...families import Family
from ...story.rows import Row


@dataclass(frozen=True)
class Positions:
    """A row's target: `places` among the text's keys.

    The keys are `length` of the CONDITIONING's positions, then `second` from its second tensor. The prompt has so many
    `frames`.
    """

    places: tuple[int, ...]
    length: int
    second: int
    frames: int

    def keys_of(self, length: int) -> int:
        """How many keys the text gives where the model has padded its positions to `length`."""
        return length + self.second

    def among_keys(self, family: Family, length: int) -> tuple[int, ...]:
        """The places among a joint call's keys, for a text of `length` positions; below 0, counted from the end."""
        shift = 0
        if family.pads_left:
            shift = length - self.length
        elif family.text_last:
            shift = -self.keys_of(length)
        return tuple(place + shift for place in self.places)


def positions_of(row: Row, length: int, second: int, times: int) -> Positions | None:
    """The positions of a row's identity in a text of `length` and a second tensor of `second`, which is laid after the
    first `times` times.

    None where the row has no identity, or another node left fewer positions than its record says.
    """
    own, own_second = row.identity_positions, row.second_positions if times else ()
    if max(own, default=-1) >= length or max(own_second, default=-1) >= second:
        return None
    again = tuple(length + time * second + place for time in range(times) for place in own_second)
    frames = len(row.phrases or row.second) - len(row.identity)
    return Positions(own + again, length, times * second, frames) if own + again else None
