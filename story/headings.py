"""Headings with a number: `Scene 1: ..`, `**Panel 2**`, `第三幕`, and the frame after
or below each.
"""

import re
from dataclasses import dataclass

from .items import SPACE, Found, Line, bullet_marker, is_apart, is_gap, is_off, joined, split_talk
from .marks import stripped
from .numerals import CHINESE, DIGITS, ROMAN, WORDS, value_of

# Scene, frame, panel, shot, page and beat in the eight languages of the pack, and what a frame is
# called there.
WORDS_BEFORE = (
    *("scene", "frame", "panel", "shot", "page", "beat", "image", "picture", "prompt"),
    *("scène", "cadre", "case", "vignette", "plan", "planche", "temps"),
    *("escena", "fotograma", "cuadro", "viñeta", "plano", "toma", "página", "imagen"),
    *("сцена", "кадр", "панель", "план", "страница", "бит", "такт", "картинка", "изображение"),
    *(
        "场景",
        "镜头",
        "分镜",
        "画面",
        "面板",
        "页面",
        "节拍",
        "图片",
        "场",
        "帧",
        "格",
        "页",
        "幕",
        "图",
    ),
    *("場景", "鏡頭", "分鏡", "畫面", "影格", "頁面", "節拍", "圖片", "場", "幀", "頁", "圖"),
    *("シーン", "場面", "フレーム", "パネル", "コマ", "ショット", "カット", "ページ", "ビート"),
    *("장면", "씬", "프레임", "패널", "컷", "샷", "숏", "페이지", "쪽", "비트"),
)
# After the number: 第一幕, 1コマ目, 3컷.
COUNTERS = (
    *("场景", "镜头", "分镜", "画面", "场", "镜", "帧", "格", "页", "幕", "拍", "张图"),
    *("場景", "鏡頭", "分鏡", "畫面", "場", "鏡", "幀", "頁", "影格", "張圖"),
    *("シーン", "場面", "コマ目", "コマ", "カット", "ページ", "フレーム"),
    *("번째 장면", "번째 컷", "장면", "씬", "장", "컷", "패널", "페이지", "쪽", "프레임"),
)
KIND = "headings"

_NUMBER = f"{DIGITS}|{CHINESE}|{ROMAN}|{'|'.join(WORDS)}"
_OPENING = "*_>[(【「《<（ \t\u00a0\u3000"
_CLOSING = r"[*_\])】」》>）]*"
_BEFORE = "|".join(sorted(WORDS_BEFORE, key=len, reverse=True))
_BEHIND = "|".join(sorted(COUNTERS, key=len, reverse=True))
_ASIDE = rf"(?:{SPACE}*(?:/|of){SPACE}*[0-9]{{1,3}})?(?:{SPACE}*[(（][^()（）]{{1,60}}[)）])?"
_END = (
    rf"{_ASIDE}({_CLOSING})({SPACE}*(?:[.:．：、)）|。"
    rf"]|[-–—]+(?={SPACE}|$)){_CLOSING})?{SPACE}*(.*)"
)
NAMED = re.compile(rf"({_BEFORE}){SPACE}*(?:№|[Nn][°º]|#)?{SPACE}*({_NUMBER}){_END}", re.IGNORECASE)
COUNTED = re.compile(rf"(第?{SPACE}*)({_NUMBER}){SPACE}*({_BEHIND}){_END}", re.IGNORECASE)
HASHES = re.compile(r"#{1,6}")


@dataclass(frozen=True)
class Heading:
    """A heading's line, its `#` of Markdown, its word and number, and the rest of its line."""

    number: int
    hashes: str
    word: str
    value: int
    rest: str


@dataclass(frozen=True)
class Body:
    """The paragraphs below a heading, each of numbered lines, and the lines after a rule that ends
    them.
    """

    paragraphs: list[list[Line]]
    behind: list[Line]


def read_headings(lines: list[Line], names: tuple[str, ...] = ()) -> Found | None:
    """At least two headings with one word and consecutive numbers, all with a text after them on
    the line or all with one below.
    """
    found = {
        place: heading
        for place, (number, raw) in enumerate(lines)
        if (heading := _heading(number, stripped(raw)))
    }
    places, headings = list(found), list(found.values())
    if len(places) < 2 or not _in_a_row(headings) or not is_apart(lines[: places[0]]):
        return None
    bodies = [
        _body(lines[start + 1 : end]) for start, end in zip(places, [*places[1:], len(lines)])
    ]
    full = [bool(body.paragraphs) for body in bodies]
    if all(full):
        frames, left_out = _below(headings, bodies)
    elif not any(full[:-1]) and not (full[-1] and not is_gap(stripped(lines[places[-1] + 1][1]))):
        frames, left_out = _behind(headings, bodies[-1])
    else:
        return None
    if not all(words for _, words in frames):
        return None
    early, talk = split_talk(lines[: places[0]])
    return Found(KIND, [*early, *frames], (*talk, *left_out))


def _heading(number: int, line: str) -> Heading | None:
    match = HASHES.match(line)
    hashes = match[0] if match else ""
    bare = line[len(hashes) :].lstrip(_OPENING)
    if match := NAMED.fullmatch(bare):
        word, value, closed, separator, rest = match.groups()
        sure = bool(closed)
    elif match := COUNTED.fullmatch(bare):
        ordinal, value, word, closed, separator, rest = match.groups()
        sure = bool(closed or ordinal)
    else:
        return None
    figure = value_of(value.upper() if set(value.upper()) <= set("IVX") else value)
    if figure is None or (rest and not separator and not sure):
        return None
    return Heading(number, hashes, word.lower(), figure, rest)


def _in_a_row(headings: list[Heading]) -> bool:
    first = headings[0]
    return all(
        heading.word == first.word and heading.value == first.value + step
        for step, heading in enumerate(headings)
    )


def _body(lines: list[Line]) -> Body:
    paragraphs: list[list[Line]] = []
    fresh = True
    for place, (number, raw) in enumerate(lines):
        line = stripped(raw)
        if line and is_gap(line) and paragraphs:
            return Body(paragraphs, lines[place + 1 :])
        if is_gap(line):
            fresh = True
            continue
        paragraphs += [[]] if fresh else []
        paragraphs[-1].append((number, line))
        fresh = False
    return Body(paragraphs, [])


def _below(headings: list[Heading], bodies: list[Body]) -> tuple[list[Line], list[str]]:
    """The bodies are the frames and the titles go. More paragraphs below the last than below any
    other are talk.
    """
    most = max(len(body.paragraphs) for body in bodies[:-1])
    frames: list[Line] = []
    left_out: list[str] = []
    for heading, body in zip(headings, bodies):
        own, more = body.paragraphs[:most], body.paragraphs[most:]
        off, talk = split_talk([*(line for paragraph in more for line in paragraph), *body.behind])
        off = [line for paragraph in own for line in paragraph if is_off(line[1])] + off
        told = [line for paragraph in own for line in paragraph if not is_off(line[1])]
        if told:
            frames.append((told[0][0], _marked(heading, headings, _one_line(told))))
        frames += off
        left_out += [*filter(None, [joined([heading.rest])]), *talk]
    return frames, left_out


def _behind(headings: list[Heading], last: Body) -> tuple[list[Line], list[str]]:
    """The texts after the headings are the frames; what comes after the last is talk."""
    off, talk = split_talk(
        [*(line for paragraph in last.paragraphs for line in paragraph), *last.behind]
    )
    frames = [
        (heading.number, words and _marked(heading, headings, words))
        for heading in headings
        for words in [joined([heading.rest])]
    ]
    return frames + off, talk


def _marked(heading: Heading, headings: list[Heading], words: str) -> str:
    """One `#` before some of the headings and not before others switches their frames off; before
    all it is Markdown's.
    """
    off = heading.hashes == "#" and any(other.hashes != "#" for other in headings)
    return f"# {words}" if off else words


def _one_line(lines: list[Line]) -> str:
    parts = [(line, bullet_marker(line)) for _, line in lines]
    if len(parts) > 1 and all(marker for _, marker in parts):
        return joined([", ".join(stripped(marker.rest) for _, marker in parts if marker)])
    return joined([marker.rest if marker else line for line, marker in parts])
