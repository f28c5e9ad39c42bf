"""Which rows and columns of a CONDITIONING, or of its second text tensor, each text encoder of a CLIP fills."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..families import TOWERS, Encoder
from .layout import Layout


class DoesNotFit(ValueError):
    """The CONDITIONING has another shape than its encoders and tokens say."""


@dataclass(frozen=True)
class Part:
    """What one encoder fills: `columns`, and in them the rows that `layout` names, counted in the CONDITIONING.

    `second`: in every layer of the second text tensor instead.
    """

    encoder: str
    columns: slice
    layout: Layout
    second: bool = False

    @property
    def is_tower(self) -> bool:
        return self.encoder in TOWERS


def place(
    kind: Encoder, layouts: Mapping[str, Layout], tokens: Mapping[str, int], widths: Mapping[str, int], shape: tuple[int, int]
) -> tuple[Part, ...]:
    """The parts of a CONDITIONING of `shape` (rows, columns), in the order of its bands.

    `layouts` (rows counted in tokens), `tokens` (how many) and `widths` are of the encoders that this CLIP has; others of
    its kind are missing. A band has a row a token, except that the last may have fewer: its encoder drops the first ones,
    a template or a begin token.
    """
    rows, columns = shape
    filled = [band for band in kind.bands if any(key in layouts for key in band)]
    parts: list[Part] = []
    top = 0
    for band in filled:
        present = [key for key in band if key in layouts]
        height = rows - top if band is filled[-1] else min(tokens[key] for key in present)
        left = 0 if band[0] in layouts else kind.free_columns
        for key in present:
            layout = layouts[key].moved(top - tokens[key] + height if len(band) == 1 else top)
            if tokens[key] < height or list(map(len, layout.phrases)) != list(map(len, layouts[key].phrases)):
                raise DoesNotFit(f"{key} has {tokens[key]} tokens but its conditioning {height} rows")
            parts.append(Part(key, slice(left, left + widths[key]), layout))
            left += widths[key]
        if left > columns or (kind.for_unets and left != columns):
            raise DoesNotFit(f"its encoders {' and '.join(present)} are {left} wide together but its conditioning is {columns} wide")
        top += height
    return tuple(parts)
