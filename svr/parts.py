"""Which positions and features of a CONDITIONING, or of its second text tensor, each text encoder
of a CLIP fills.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..families import TOWERS, Encoder
from .layout import Layout


class DoesNotFit(ValueError):
    """The CONDITIONING's shape does not fit its encoders and tokens."""


@dataclass(frozen=True)
class Part:
    """What one encoder fills: `features`, and in them the positions that `layout` names, counted in
    the CONDITIONING.

    `second`: in every layer of the second text tensor instead.
    """

    encoder: str
    features: slice
    layout: Layout
    second: bool = False

    @property
    def is_tower(self) -> bool:
        return self.encoder in TOWERS


def place(
    kind: Encoder,
    layouts: Mapping[str, Layout],
    tokens: Mapping[str, int],
    widths: Mapping[str, int],
    shape: tuple[int, int],
    longer: bool = False,
) -> tuple[Part, ...]:
    """The parts of a CONDITIONING of `shape` (positions, features), in the order of its bands.

    `layouts` (positions counted in tokens), `tokens` (how many) and `widths` are of the encoders
    that this CLIP has; others of its kind are missing. A band has one position per token, except
    that the last may have fewer: its encoder drops the first ones, a template or a begin token.
    `longer`: or more, since pictures before the phrases take several each.
    """
    positions, features = shape
    filled = [band for band in kind.bands if any(key in layouts for key in band)]
    parts: list[Part] = []
    top = 0
    for band in filled:
        present = [key for key in band if key in layouts]
        height = positions - top if band is filled[-1] else min(tokens[key] for key in present)
        left = 0 if band[0] in layouts else kind.free_features
        for key in present:
            layout = layouts[key].moved(top - tokens[key] + height if len(band) == 1 else top)
            if (tokens[key] < height and not longer) or list(map(len, layout.phrases)) != list(
                map(len, layouts[key].phrases)
            ):
                raise DoesNotFit(
                    f"{key} has {tokens[key]} tokens but its conditioning {height} rows"
                )
            parts.append(Part(key, slice(left, left + widths[key]), layout))
            left += widths[key]
        if left > features or (kind.for_unets and left != features):
            raise DoesNotFit(
                f"its encoders {' and '.join(present)} are {left} wide together but its"
                f" conditioning is {features} wide"
            )
        top += height
    return tuple(parts)
