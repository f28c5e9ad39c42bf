"""Which phrase's parentheses run on into the next phrase of a prompt."""

from collections.abc import Sequence


def left_open(phrases: Sequence[str], at: int) -> int:
    """The phrase to blame if the joined phrases are read differently from phrase `at` on than each
    separately.

    Nesting is counted as ComfyUI does it, `\\(` and `\\)` as plain characters: a `)` too many goes
    below zero, and the next phrase's `(` then opens nothing. To blame is the phrase at which
    nesting last left zero, at `at` or before it.
    """
    level, blamed = 0, at
    for place, phrase in enumerate(phrases[: at + 1]):
        if level == 0:
            blamed = place
        bare = phrase.replace("\\)", "").replace("\\(", "")
        level += bare.count("(") - bare.count(")")
    return blamed
