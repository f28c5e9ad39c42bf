"""Names of the cast in a text: where a mention begins and ends, and when two names are the same."""

import unicodedata

from .marks import INVISIBLE, JOINERS, without_invisible

NOBODY = "nobody"
_SKIPPED = INVISIBLE | JOINERS


def key_of(name: str) -> str:
    """What names are compared by: `STRASSE` and `Straße` are the same, and so are é as one
    character and as two.
    """
    return unicodedata.normalize("NFC", without_invisible(name)).casefold()


def in_name(char: str) -> bool:
    """Letters, their marks, digits and `_` of any script."""
    return char == "_" or (char not in INVISIBLE and unicodedata.category(char)[0] in "LMN")


def is_name(text: str) -> bool:
    return name_ends(text, 0)[-1:] == [len(text)]


def name_ends(text: str, start: int) -> list[int]:
    """Where a name that begins at `start` may end: before each run of invisible characters in it,
    and at its own end.
    """
    ends: list[int] = []
    at = start
    while True:
        while at < len(text) and text[at] in _SKIPPED:
            at += 1
        begin = at
        while at < len(text) and in_name(text[at]):
            at += 1
        if at == begin:
            return ends
        ends.append(at)


def mention_at(text: str, at: int) -> list[int]:
    """Where the mention that begins with the `@` at this place may end; empty where it is none.
    `\\@` is a plain @.
    """
    if text[at] != "@" or (at and (in_name(text[at - 1]) or text[at - 1] == "\\")):
        return []
    return name_ends(text, at + 1)


def mentions_in(text: str) -> list[str]:
    """The names that a text mentions, in order."""
    ends = [(at, mention_at(text, at)) for at, char in enumerate(text) if char == "@"]
    return [text[at + 1 : found[-1]] for at, found in ends if found]
