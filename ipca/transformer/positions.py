"""Where the identity, or the frame's cast, is among the keys that a CONDITIONING's text gives, and
which keys are scaled.
"""

from dataclasses import dataclass, replace

from ...families import Family
from ...story.rows import Row


@dataclass(frozen=True)
class Positions:
    """A row's target: `places` among the text's keys, of which the identity's count again, and
    `factors` by place.

    The keys are `length` of the CONDITIONING's positions, then `second` from its second tensor. The
    prompt has so many `frames`.
    """

    places: tuple[int, ...]
    length: int
    second: int
    frames: int
    factors: tuple[tuple[int, float], ...] = ()

    def keys_of(self, length: int) -> int:
        """How many keys the text gives where the model has padded its positions to `length`."""
        return length + self.second

    @property
    def identity_alone(self) -> "Positions | None":
        """The target without its factors; None where nothing is left."""
        return replace(self, factors=()) if self.places else None

    @property
    def factors_alone(self) -> "Positions | None":
        """The target without its identity; None where nothing is left."""
        return replace(self, places=()) if self.factors else None

    def among_keys(self, family: Family, length: int, before: int = 0) -> tuple[int, ...]:
        """The places among a joint call's keys, for a text of `length` positions with so many keys
        `before` it; below 0, counted from the end.
        """
        shift = before + self._shift(family, length)
        return tuple(place + shift for place in self.places)

    def factors_among_keys(
        self, family: Family, length: int, before: int = 0
    ) -> tuple[tuple[int, float], ...]:
        """The factors by their places among a joint call's keys, counted as in `among_keys`."""
        shift = before + self._shift(family, length)
        return tuple((place + shift, factor) for place, factor in self.factors)

    def _shift(self, family: Family, length: int) -> int:
        if family.pads_left:
            return length - self.length
        return -self.keys_of(length) if family.text_last else 0


def positions_of(
    row: Row, length: int, second: int, times: int, with_identity: bool
) -> Positions | None:
    """The positions of a row's identity, if that is wanted, and its factors, in a text of `length`
    and a second tensor of `second`, which is appended to the first `times` times.

    None where the row has neither, or another node left fewer positions than its record says.
    """
    own, own_second = (
        (row.identity_positions, row.second_positions if times else ())
        if with_identity
        else ((), ())
    )
    named = (*own, *(place for place, _ in row.factors))
    if max(named, default=-1) >= length or max(own_second, default=-1) >= second:
        return None
    again = tuple(length + time * second + place for time in range(times) for place in own_second)
    frames = len(row.phrases or row.second) - len(row.identity)
    return (
        Positions(own + again, length, times * second, frames, row.factors)
        if own + again or row.factors
        else None
    )
