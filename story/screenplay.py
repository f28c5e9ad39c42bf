"""A screenplay in Fountain: as much of the format as a page needs. https://fountain.io/syntax

Each action paragraph is a frame, with its scene's heading before it; a heading without action is a
frame too. Dialogue, parentheticals, transitions and notes are left out. A character cue brings the
one of the cast who speaks into the frame before it.
"""

import re
from dataclasses import dataclass, field

from .items import Found, Line
from .marks import stripped
from .mentions import mention
from .names import key_of

KIND = "screenplay"
PLACES = {
    "INT": "interior",
    "EXT": "exterior",
    "EST": "exterior",
    "INT/EXT": "interior and exterior",
    "I/E": "interior and exterior",
}
HEADING = re.compile(r"(INT\.?/EXT|I/E|INT|EXT|EST)[. ]\s*(\S.*)")
NUMBERED = re.compile(r"\s*#[^#]+#$")
FORCED_HEADING = re.compile(r"\.(?![.\s])(.+)")
TRANSITION = re.compile(
    r"(?:[^a-z]*\bTO:|FADE (?:IN|OUT)[.:]?|CUT TO BLACK[.:]?|THE END\.?|>.*[^<])"
)
CUE = re.compile(r"@?([^()^:]*?)\s*(?:\([^()]*\)\s*)*\^?")
NOTES = (("[[", "]]"), ("/*", "*/"))
EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_)(?=\S)(.{1,300}?)(?<=\S)\1")
END = re.compile(r"-{3,}")


@dataclass
class Scene:
    """A heading, and its action: each paragraph with the cues that follow it before the next."""

    number: int
    place: str
    actions: list[tuple[int, str, list[str]]] = field(default_factory=list)
    cues: list[str] = field(default_factory=list)


def read_screenplay(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """At least one scene heading in capitals between blank lines, and at least one line of
    action.
    """
    paragraphs = _paragraphs(lines)
    start = next((place for place, paragraph in enumerate(paragraphs) if _place(paragraph)), None)
    if start is None:
        return None
    scenes: list[Scene] = []
    left_out = [line for paragraph in paragraphs[:start] for _, line in paragraph]
    for place, paragraph in enumerate(paragraphs[start:], start):
        number, line = paragraph[0]
        if END.fullmatch(line):
            left_out += [line for rest in paragraphs[place + 1 :] for _, line in rest]
            break
        if heading := _place(paragraph):
            scenes.append(Scene(number, heading))
        elif len(paragraph) > 1 and _cue(line):
            _speak(scenes[-1], _cue(line), names)
            left_out += [words for _, words in paragraph]
        elif len(paragraph) == 1 and (TRANSITION.fullmatch(_plain(line)) or line[0] in "=~"):
            left_out.append(line)
        else:
            words = " ".join(stripped(words.removeprefix("!")) for _, words in paragraph)
            scenes[-1].actions.append((number, _plain(words), list(scenes[-1].cues)))
            scenes[-1].cues.clear()
    if not any(scene.actions for scene in scenes):
        return None
    frames = [frame for scene in scenes for frame in _frames(scene, names)]
    return Found(KIND, frames, tuple(left_out))


def _paragraphs(lines: list[Line]) -> list[list[Line]]:
    """The text between blank lines, without notes. A note that spans lines leaves their numbers as
    they are.
    """
    bare = "\n".join(raw for _, raw in lines)
    for opening, closing in NOTES:
        bare = _without(bare, opening, closing)
    paragraphs: list[list[Line]] = [[]]
    for (number, _), raw in zip(lines, bare.split("\n")):
        line = stripped(raw)
        if line:
            paragraphs[-1].append((number, line))
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def _without(text: str, opening: str, closing: str) -> str:
    kept, at = [], 0
    while (start := text.find(opening, at)) >= 0 and (
        end := text.find(closing, start + len(opening))
    ) >= 0:
        kept += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end + len(closing)
    return "".join([*kept, text[at:]])


def _place(paragraph: list[Line]) -> str:
    """A scene heading in words, `interior, kitchen, night`; empty where the paragraph is none."""
    line = paragraph[0][1]
    if len(paragraph) != 1:
        return ""
    bare = NUMBERED.sub("", line)
    if match := HEADING.fullmatch(bare):
        parts = [PLACES[match[1].replace(".", "")], *match[2].split(" - ")]
    elif (match := FORCED_HEADING.fullmatch(bare)) and match[1].upper() == match[1]:
        parts = match[1].split(" - ")
    else:
        return ""
    return ", ".join(part.lower() for each in parts if (part := stripped(each)))


def _cue(line: str) -> str:
    """The character who speaks, where the line is a cue: capitals, or `@` before it."""
    match = CUE.fullmatch(line)
    if match is None or not stripped(match[1]):
        return ""
    name = stripped(match[1])
    return name if line.startswith("@") or (name.upper() == name and name.lower() != name) else ""


def _speak(scene: Scene, cue: str, names: tuple[str, ...]) -> None:
    """The one who speaks is in the frame before the dialogue; before any action, in the first
    frame.
    """
    known = [name for name in names if key_of(name) == key_of(cue.replace(" ", "_"))]
    told = scene.actions[-1][2] if scene.actions else scene.cues
    told += [name for name in known if name not in told]


def _frames(scene: Scene, names: tuple[str, ...]) -> list[Line]:
    if not scene.actions:
        return [(scene.number, _with_place(scene.place, "", scene.cues, names))]
    return [
        (number, _with_place(scene.place, words, cues, names))
        for number, words, cues in scene.actions
    ]


def _with_place(place: str, words: str, cues: list[str], names: tuple[str, ...]) -> str:
    """`interior, kitchen, night: the fox pours tea.` with its cast; a place of the cast is
    mentioned too.
    """
    own = [
        name
        for part in place.split(", ")
        for name in names
        if key_of(name) == key_of(part.replace(" ", "_"))
    ]
    return mention(f"{place}: {words}" if words else place, [*own, *cues])


def _plain(words: str) -> str:
    """Without Fountain's emphasis and the arrows of centred text."""
    words = re.sub(r"^>\s*(.*?)\s*<$", r"\1", words)
    return stripped(EMPHASIS.sub(r"\2", words))
