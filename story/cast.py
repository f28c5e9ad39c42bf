"""The cast: who and what the identity names, one per line, and which of them each frame mentions.

    A watercolour picture of
    @girl: a girl with red braids
    @kitchen: a small kitchen with blue tiles

A frame mentions them as @girl and @kitchen, and the mention becomes the plain word. Characters,
places and things are treated alike. This is ours, not the paper's: there the identity is one text
that all frames share. Without an @name: line nothing here applies, and @ is a plain @.
"""

import re
from dataclasses import dataclass

from ..errors import InputError
from .marks import JOINERS, lines_of, shown, stripped, without_invisible
from .names import NOBODY, is_name, key_of, mention_at

# A list's mark and Markdown's emphasis may come before the name: `- @fox: ..`, `1. **@fox**: ..`.
MARK = r"(?:(?:[-+–—•‣◦●○▪■·]|\*(?=\s)|[0-9]{1,3}[.)、])\s*)?"
EMPHASIS = r"(\*{1,3}|_{1,2}|`|)"
CHARACTER = re.compile(rf"{MARK}{EMPHASIS}@([^\s:：@*`]+)\1\s*[:：]\s*(.*)")
BOLD_TO_THE_COLON = re.compile(rf"{MARK}(\*{{1,3}}|_{{1,2}}|`)@([^\s:：@*`]+)\s*[:：]\s*\1\s*(.*)")
BOLD_WHOLE = re.compile(rf"{MARK}(\*{{1,3}}|_{{1,2}})@([^\s:：@*`]+)\s*[:：]\s*(.*)\1")
SEVERAL_WORDS = re.compile(
    rf"{MARK}{EMPHASIS}@([^\s:：@*`]+(?:[ \u00a0][^\s:：@*`]+){{1,2}})\1\s*[:：]\s*(\S.*)"
)
MAX_CAST = 64


@dataclass(frozen=True)
class Character:
    """One of the cast. Frames name it by `name`, in any case; `text` describes it in the prompt."""

    name: str
    text: str


def read_identity(text: str) -> tuple[str, tuple[Character, ...]]:
    """The common text before the first @name: line, and the characters. No such line: all of the
    text, and no cast.
    """
    lines = [(number, line) for number, raw in lines_of(text) if (line := stripped(raw))]
    named = {number: found for number, line in lines if (found := _named(number, line))}
    if not named:
        return stripped(text), ()
    if len(named) > MAX_CAST:
        raise InputError(
            "identity",
            f"it names {len(named)} characters",
            f"Name at most {MAX_CAST}; a prompt has 75 tokens for all of them",
        )
    known = tuple(name for name, _ in named.values())
    common: list[str] = []
    characters: list[Character] = []
    for number, line in lines:
        if number in named:
            name, words = named[number]
            _check_name(number, name, [character.name for character in characters])
            words, _ = _read("identity", number, words, known)
            if not words:
                raise InputError(
                    "identity",
                    f"line {number}: @{shown(name)} has no description",
                    f"Write what it looks like after the colon: '@{name}: a ..'",
                )
            characters.append(Character(name, words))
        elif characters:
            raise InputError(
                "identity",
                f"line {number}: '{shown(line)}' is after a character but is not one",
                "Begin the line with a name, like '@dog: a small brown dog', or put it before the"
                " first character: all frames share it there",
            )
        else:
            common.append(_read("identity", number, line, known)[0])
    return " ".join(common), tuple(characters)


def read_frame(number: int, line: str, cast: tuple[Character, ...]) -> tuple[str, tuple[int, ...]]:
    """A frame's plain words, and its cast: places among the characters, in their order.

    A frame without a mention has the whole cast; @nobody has none. `number` is the line's, for
    errors.
    """
    if not cast:
        return line, ()
    words, mentioned = _read(
        "frames", number, line, (*(character.name for character in cast), NOBODY)
    )
    if not words:
        raise InputError(
            "frames",
            f"line {number}: '{shown(line)}' has no words",
            "Write what happens in the picture",
        )
    keys = [key_of(character.name) for character in cast]
    if not mentioned:
        return words, tuple(range(len(cast)))
    if NOBODY in mentioned and len(mentioned) > 1:
        raise InputError(
            "frames",
            f"line {number}: @{NOBODY} is used together with a character",
            f"Leave out @{NOBODY} or the others",
        )
    return words, tuple(place for place, key in enumerate(keys) if key in mentioned)


def _named(number: int, line: str) -> tuple[str, str] | None:
    """Name and description of an @name: line; InputError where the name has several words."""
    for form in (BOLD_TO_THE_COLON, BOLD_WHOLE, CHARACTER):
        if (match := form.fullmatch(line)) and is_name(match[2]):
            return _seen(match[2]), stripped(match[3])
    match = SEVERAL_WORDS.fullmatch(line)
    if match and all(map(is_name, match[2].split())):
        raise InputError(
            "identity",
            f"line {number}: '@{shown(match[2])}' has several words, and a name is one word",
            f"Write '@{'_'.join(shown(match[2]).split())}: ..', here and in the frames",
        )
    return None


def _read(name: str, number: int, line: str, known: tuple[str, ...]) -> tuple[str, set[str]]:
    """The line with mentions as plain words and `\\@` as @, and the keys of the names that it
    mentions.

    A mention counts at a word's beginning only. @nobody leaves no word.
    """
    keys = {key_of(each) for each in known}
    words, mentioned, at = [], set(), 0
    while at < len(line):
        if line.startswith("\\@", at):
            words.append("@")
            at += 2
            continue
        ends = mention_at(line, at)
        if not ends:
            words.append(line[at])
            at += 1
            continue
        end = next((end for end in reversed(ends) if key_of(line[at + 1 : end]) in keys), None)
        if end is None:
            remedy = (
                f"The cast is {', '.join('@' + each for each in known)}; write \\@ for a plain @"
            )
            raise InputError(
                name, f"line {number}: @{shown(line[at + 1 : ends[-1]])} is unknown", remedy
            )
        key = key_of(line[at + 1 : end])
        mentioned.add(key)
        if key != NOBODY:
            words.append(_seen(line[at + 1 : end]).replace("_", " "))
        elif not words or words[-1].isspace():
            end += end < len(line) and line[end].isspace()
        at = end
    return stripped("".join(words)), mentioned


def _seen(name: str) -> str:
    """A name as it is written, without invisible characters, except a joiner, which changes how a
    word looks.
    """
    return "".join(char for char in name if char in JOINERS or without_invisible(char))


def _check_name(number: int, name: str, before: list[str]) -> None:
    if key_of(name) == NOBODY:
        raise InputError(
            "identity",
            f"line {number}: @{NOBODY} is reserved: a frame with it has no character",
            "Choose another name",
        )
    if key_of(name) in map(key_of, before):
        known = ", ".join("@" + each for each in before)
        raise InputError(
            "identity",
            f"line {number}: @{name} is named twice (known so far: {known})",
            "Give each character its own name",
        )
