"""Random lists, brackets and invisible characters: frames, or an error that names the line and
quotes what can be seen.
"""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from story_pack.errors import InputError
from story_pack.story.brackets import left_open
from story_pack.story.lists import read_frames
from story_pack.story.marks import INVISIBLE, stripped
from story_pack.story.story import parse_story, read_story

from bench.node import run_node_tests

WORDS = [
    "playing",
    "in the snow",
    "foraging",
    "(red berries:1.3)",
    "@fox",
    "a fox :)",
    "雪",
    "🦊",
    "10:30",
    "well-lit",
    '"quoted"',
    "1.5 m",
]
FRAME = (
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda text: not text.startswith("10:30"))
)
FRAMES = st.lists(FRAME, min_size=2, max_size=12)
TALK = st.sampled_from(
    ["", "Here are the frames:\n\n", "Sure! Here you go:\n", "A fox in winter.\n\n"]
)
BYE = st.sampled_from(
    ["", "\n\nLet me know if you want more.", "\n---\nEnjoy!", "\n\nThe end\n\nof it"]
)
NUMBERS = st.sampled_from(
    ["{}. ", "{}) ", "({}) ", "{}、", "{}：", "**{}.** ", "{}\t", "[{}] ", "{} - "]
)
BULLETS = st.sampled_from(["- ", "* ", "• ", "– ", "+ ", "・"])
HEADINGS = st.sampled_from(
    [
        "Scene {}: ",
        "**Frame {}:** ",
        "第{}幕：",
        "Escena {}. ",
        "Кадр {}: ",
        "[Shot {}] ",
        "### Page {}: ",
    ]
)
UNSEEN = st.text(
    alphabet=sorted(INVISIBLE - set(map(chr, range(0x20))) - set(map(chr, range(0x7F, 0xA0)))),
    max_size=3,
)


def told(text: str) -> list[str]:
    return [words for _, words in read_frames(text).told]


@given(FRAMES, NUMBERS, TALK, BYE)
def test_numbers_and_talk_are_no_content(frames, number, talk, bye):
    text = (
        talk
        + "\n".join(number.format(place) + frame for place, frame in enumerate(frames, 1))
        + bye
    )
    assert told(text) == frames and read_frames(text).kind == "numbers"
    assert bool(read_frames(text).left_out) == bool(talk or bye), "what is left out is said"


@given(FRAMES, BULLETS, TALK, BYE)
def test_bullets_and_talk_are_no_content(frames, bullet, talk, bye):
    text = talk + "\n".join(bullet + frame for frame in frames) + bye
    assert told(text) == frames and read_frames(text).kind == "bullets"


@given(FRAMES, HEADINGS, TALK, BYE, st.booleans())
def test_headings_and_talk_are_no_content(frames, heading, talk, bye, below):
    between = "\n" if below else ""
    text = (
        talk
        + "\n\n".join(
            heading.format(place) + between + frame for place, frame in enumerate(frames, 1)
        )
        + bye
    )
    assert told(text) == frames and read_frames(text).kind == "headings"


@given(
    FRAMES,
    st.sampled_from([None, 2]),
    st.sampled_from(["", "```json\n{}\n```", "Here:\n{}\n\nBye."]),
)
def test_a_json_list_is_its_strings(frames, indent, around):
    text = json.dumps(frames, indent=indent, ensure_ascii=indent is None)
    assert told(around.format(text) if around else text) == frames


@given(FRAMES, st.sampled_from([";", ",", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_table_is_its_column(frames, delimiter, end, mark):
    quoted = ['"' + frame.replace('"', '""') + '"' for frame in frames]
    rows = [f"{place}{delimiter}{frame}" for place, frame in enumerate(quoted, 1)]
    assert told("\ufeff" * mark + end.join([f"nr{delimiter}prompt", *rows]) + end) == frames


@given(
    FRAMES,
    NUMBERS,
    st.integers(0, 99),
    st.sampled_from(["a line without a number", "7. far too many"]),
)
def test_a_list_that_is_broken_stays_as_it_is(frames, number, place, between):
    lines = [number.format(place) + frame for place, frame in enumerate(frames, 1)]
    lines.insert(1 + place % (len(lines) - 1), between)
    assert (
        told("\n".join(lines)) == [stripped(line) for line in lines]
        and read_frames("\n".join(lines)).kind == ""
    )


@given(st.lists(st.tuples(UNSEEN, FRAME, UNSEEN), min_size=1, max_size=6), NUMBERS, st.booleans())
def test_what_cannot_be_seen_hides_nothing(parts, number, counted):
    marks = [number.format(place) if counted else "" for place in range(1, len(parts) + 1)]
    plain = "\n".join(mark + frame for mark, (_, frame, _) in zip(marks, parts))
    strewn = "\n\u200b\n".join(
        before + mark + frame + after for mark, (before, frame, after) in zip(marks, parts)
    )
    assert told(strewn) == told(plain)
    off = "\n".join(f"{before}# {frame}" for before, frame, _ in parts)
    assert told(off) == []
    cast = [
        f"{before}@n{place}: {frame.replace('@', '')}"
        for place, (before, frame, _) in enumerate(parts)
    ]
    assert len(parse_story("\n".join(cast), "at sea", 10).identity_phrases) == len(parts)


LOOSE = st.lists(
    st.sampled_from(
        [*WORDS, "(", ")", ":)", "\\(", "@cat", "@nobody", "#", "\u200b", "\ufeff", "\x07"]
    ),
    min_size=1,
    max_size=5,
)


@given(st.lists(LOOSE.map(" ".join), min_size=1, max_size=6))
def test_an_error_names_the_line_and_quotes_what_can_be_seen(lines):
    try:
        read_story("@fox: a red fox\n@dog: a dog", "\n".join(lines), 10)
    except InputError as error:
        said = str(error)
        line = re.match(r"frames: line (\d+): ", said)
        assert line or said.startswith("frames: holds no frame"), said
        assert all(char.isprintable() for char in said), said
        assert said.count(". ") >= 1 and said.endswith(".")
        if line:
            own = lines[int(line[1]) - 1]
            assert "@cat" in own or "@nobody" in own or not stripped(own).strip("# "), (own, said)


@given(st.lists(LOOSE.map(" ".join), min_size=2, max_size=6))
def test_the_phrase_to_blame_is_open_itself(phrases):
    """Where all before it are balanced, and it is not: that is the one; a phrase that is balanced
    is never blamed for another.
    """

    def depth(text):
        return text.replace("\\(", "").count("(") - text.count(")")

    for at in range(len(phrases)):
        blamed = left_open(phrases, at)
        assert blamed <= at and sum(map(depth, phrases[:blamed])) == 0
        if any(map(depth, phrases[: at + 1])):
            assert blamed == at or depth(phrases[blamed])


ANY = st.lists(
    st.sampled_from(
        [
            *WORDS,
            *(
                "\n",
                "\n",
                "\r\n",
                "\u2028",
                "\n\n",
                " ",
                "\t",
                "  ",
                "\u200b",
                "\ufeff",
                "\u200d",
                "\ufe0f",
                "#",
                "# ",
                "##",
            ),
            *(
                "1. ",
                "2. ",
                "3. ",
                "1) ",
                "2)",
                "①",
                "② ",
                "- ",
                "* ",
                "•",
                "**",
                "---",
                "Scene 1",
                "Scene 2:",
                "第一幕",
                "```",
                "~~~json",
            ),
            *(
                "[",
                "]",
                '"a"',
                ",",
                ";",
                "{",
                "}",
                '{"prompt": "x"}',
                "prompt",
                "cast",
                "sep=;",
                '"',
                "INT. KITCHEN",
                "FOX",
                "(softly)",
                "> ",
            ),
        ]
    )
    | st.text(alphabet=st.characters(exclude_categories=["Cs"], max_codepoint=0x3FFF), max_size=4),
    max_size=24,
).map("".join)


@settings(max_examples=1)
@given(st.data())
def test_the_page_reads_random_texts_as_the_node_does(tmp_path_factory, data):
    """One run of Node for all of them: a list of as many texts as the room has examples."""
    from .conftest import EXAMPLES

    texts = data.draw(st.lists(ANY, min_size=EXAMPLES, max_size=EXAMPLES))
    read = []
    for text in texts:
        found = read_frames(text, ("fox",))
        frames = [frame.text if frame.on else f"# {frame.text}".rstrip() for frame in found.frames]
        read.append(
            {
                "text": text,
                "names": ["fox"],
                "kind": found.kind,
                "frames": frames,
                "left_out": list(found.left_out),
            }
        )
    path = tmp_path_factory.mktemp("read") / "read.json"
    path.write_text(json.dumps(read), encoding="utf-8")
    run_node_tests(only="random texts", READ=str(path))
