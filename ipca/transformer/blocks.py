"""Which blocks of a transformer an artist means: `all`, `coarse`, `fine`, `double0-9`, or `3-12`
where there is one kind.
"""

import re
from typing import Any

from ...errors import InputError
from ...families import Family

PART = re.compile(r"([a-z]*)(?:(\d{1,4})(?:-(\d{1,4}))?)?")


def blocks_of(transformer: Any, family: Family) -> list[tuple[str, int]]:
    """Every block in running order: the name of its stage, and its number there from 0."""
    return [
        (stage, number)
        for stage, attribute in family.stages
        for number in range(len(getattr(transformer, attribute, ())))
    ]


def chosen_blocks(transformer: Any, family: Family, text: str) -> frozenset[int]:
    """The running numbers of the blocks that the node's `blocks` text names.

    `coarse` is the first half of the blocks and `fine` the second: a transformer has no levels of
    resolution, and what comes first shapes all that follows.
    """
    blocks = blocks_of(transformer, family)
    counts = {stage: sum(name == stage for name, _ in blocks) for stage, _ in family.stages}
    have = ", ".join(f"{stage}0-{count - 1}" for stage, count in counts.items() if count)
    remedy = f"This {family.name} model has {have}. Name some of these, or all, coarse, fine"
    half = len(blocks) // 2
    presets = {"all": range(len(blocks)), "coarse": range(half), "fine": range(half, len(blocks))}
    chosen: set[int] = set()
    parts = re.findall(r"[^\s,;]+", text.lower())
    if not parts:
        raise InputError("blocks", "names no block", remedy)
    for part in parts:
        if part in presets:
            chosen.update(presets[part])
            continue
        match = PART.fullmatch(part)
        stage = (
            (match[1] or (family.stages[0][0] if len(family.stages) == 1 else "")) if match else ""
        )
        first, last = (
            (int(match[2]), int(match[3] or match[2]))
            if match and match[2]
            else (0, counts.get(stage, 0) - 1)
        )
        if stage not in counts or not first <= last < counts[stage]:
            raise InputError("blocks", f"'{part[:40]}' names no block of this model", remedy)
        chosen.update(blocks.index((stage, number)) for number in range(first, last + 1))
    return frozenset(chosen)
