"""The cast: characters that the identity names, one a line, and which of them each frame mentions.

    A watercolour picture of
    @girl: a girl with red braids
    @dog: a small brown dog

A frame mentions them as @girl and @dog, and the mention becomes the plain word. This is ours, not the paper's: there the
identity is one text that all frames share. Without an @name: line nothing here has a meaning, @ included.
"""

import re
import unicodedata
from dataclasses import dataclass

from ..errors import InputError

NOBODY = "nobody"
CHARACTER = re.compile(r"@([^\s:：@]+)\s*[:：]\s*(.*)")
MAX_CAST = 64
SHOWN = 40  # characters of a line that an error quotes


@dataclass(frozen=True)
class Character:
    """One of the cast. Frames name it by `name`, in any case; `text` describes it in the prompt."""

    name: str
    text: str


def read_identity(text: str) -> tuple[str, tuple[Character, ...]]:
    """The common text before the first @name: line, and the characters. No such line: all of the text, and no cast."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    named = {number: match for number, line in lines if (match := CHARACTER.fullmatch(line)) and _is_name(match[1])}
    if not named:
        return text.strip(), ()
    if len(named) > MAX_CAST:
        raise InputError(
            "identity", f"it names {len(named)} characters", f"Name at most {MAX_CAST}; a prompt has 75 tokens for all of them"
        )
    known = tuple(match[1] for match in named.values())
    common: list[str] = []
    characters: list[Character] = []
    for number, line in lines:
        if number in named:
            name, words = named[number].groups()
            _check_name(number, name, [character.name for character in characters])
            words, _ = _read("identity", number, words, known)
            if not words:
                raise InputError(
                    "identity", f"line {number}: @{name} has no description", f"Write what it looks like behind the colon: '@{name}: a ..'"
                )
            characters.append(Character(name, words))
        elif characters:
            raise InputError(
                "identity",
                f"line {number}: '{line[:SHOWN]}' stands behind a character but is none",
                "Begin the line with a name, like '@dog: a small brown dog', or put it before the first character: all frames share it there",
            )
        else:
            common.append(_read("identity", number, line, known)[0])
    return " ".join(common), tuple(characters)


def read_frame(number: int, line: str, cast: tuple[Character, ...]) -> tuple[str, tuple[int, ...]]:
    """A frame's plain words, and its cast: places among the characters, in their order.

    A frame that mentions nobody by @ has the whole cast; @nobody has none. `number` is the line's, for errors.
    """
    if not cast:
        return line, ()
    words, mentioned = _read("frames", number, line, (*(character.name for character in cast), NOBODY))
    if not words:
        raise InputError("frames", f"line {number}: '{line[:SHOWN]}' has no words", "Write what happens in the picture")
    keys = [_key(character.name) for character in cast]
    if not mentioned:
        return words, tuple(range(len(cast)))
    if NOBODY in mentioned and len(mentioned) > 1:
        raise InputError("frames", f"line {number}: @{NOBODY} stands beside a character", f"Leave out @{NOBODY} or the others")
    return words, tuple(place for place, key in enumerate(keys) if key in mentioned)


def _read(name: str, number: int, line: str, known: tuple[str, ...]) -> tuple[str, set[str]]:
    """The line with mentions as plain words and `\\@` as @, and the keys of the names that it mentions.

    A mention counts at a word's beginning only. @nobody leaves no word.
    """
    keys = {_key(each) for each in known}
    words, mentioned, at = [], set(), 0
    while at < len(line):
        if line.startswith("\\@", at):
            words.append("@")
            at += 2
            continue
        end = _name_end(line, at + 1) if line[at] == "@" and not (at and _in_name(line[at - 1])) else at
        if end <= at + 1:
            words.append(line[at])
            at += 1
            continue
        key = _key(line[at + 1 : end])
        if key not in keys:
            remedy = f"The cast is {', '.join('@' + each for each in known)}; write \\@ for a plain @"
            raise InputError(name, f"line {number}: @{line[at + 1 : end][:SHOWN]} is unknown", remedy)
        mentioned.add(key)
        if key != NOBODY:
            words.append(line[at + 1 : end].replace("_", " "))
        elif not words or words[-1].isspace():
            end += end < len(line) and line[end].isspace()
        at = end
    return "".join(words).strip(), mentioned


def _check_name(number: int, name: str, before: list[str]) -> None:
    if _key(name) == NOBODY:
        raise InputError("identity", f"line {number}: @{NOBODY} is taken: a frame with it has no character", "Choose another name")
    if _key(name) in map(_key, before):
        known = ", ".join("@" + each for each in before)
        raise InputError("identity", f"line {number}: @{name} is named twice (known so far: {known})", "Give each character its own name")


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _is_name(text: str) -> bool:
    return _name_end(text, 0) == len(text)


def _name_end(text: str, start: int) -> int:
    """Where the name that begins at `start` ends: letters, their marks, digits and `_` of any script."""
    end = start
    while end < len(text) and _in_name(text[end]):
        end += 1
    return end


def _in_name(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] in "LMN"
