"""Whatever is typed: a result, or our ValueError that names the node and the input. Nothing
else.
"""

import json
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont
from story_pack.batch.frames import batches_of
from story_pack.errors import InputError
from story_pack.machines.share import share_of
from story_pack.sheet.text import wrap
from story_pack.story.lists import read_frames
from story_pack.story.marks import stripped
from story_pack.story.selection import parse_selection
from story_pack.story.story import parse_story, tell, windows
from story_pack.story.takes import MAX_TAKE, noise_numbers, parse_retake
from story_pack.token_route import BadRequest, answer_for, read_request

# Everything unicode has but lone surrogates, with what prompts give a meaning to more often than
# chance would.
PIECES = st.sampled_from(
    [
        "(",
        ")",
        "((",
        "))",
        ":",
        ":1.2",
        "(a:1.3)",
        "(b:-1)",
        "(c:1e999)",
        "(d:nan)",
        "\\(",
        "\\)",
        "\\",
        "embedding:",
        "embedding:nothing",
        "embedding:../../x",
        "#",
        "# ",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "\x00",
        "\u2028",
        "\u200f",
        "العربية",
        "עברית",
        "狐",
        "🦊",
        "👩‍👩‍👧",
        "e\u0301",
        "{a|b}",
        "__wild__",
        "<lora:x:1>",
        "BREAK",
        "@",
        "\\@",
        "@girl",
        "@Dog",
        "@nobody",
        "me@home",
        "\n@girl: a girl",
        "\n@dog : a dog with @girl",
        "\n@狐：a fox",
        "\n@x:",
        "a red fox",
        "in the snow",
        " ",
        "1. ",
        "\n2. ",
        "\n- ",
        "Scene 1: ",
        "\nScene 2: ",
        "\n```\n",
        '["a", "b"]',
        "\nINT. A\n\n",
        "prompt;seed\n",
        "\u200b",
        "\ufeff",
        "\u200d",
    ]
)
TEXT = st.lists(
    st.one_of(PIECES, st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)),
    max_size=12,
).map("".join)


NAMES = ["girl", "old_dog", "狐", "fée"]
WORDS = [
    "in the snow",
    ",",
    "me@home",
    "\\@girl",
    "@ noon",
    "@",
    *(
        f"{before}@{name}{behind}"
        for name in NAMES
        for before in ("", "(", "x", "\\")
        for behind in ("", ":1.2)", "'s")
    ),
]
LINE = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@given(st.lists(LINE.filter(str.strip), min_size=1, max_size=6), st.booleans())
def test_a_cast_is_what_the_lines_mention(lines, common):
    """Read once more by a regular expression: lines of known names alone are never refused but
    where no word is left.
    """
    identity = ("a picture of\n" if common else "") + "\n".join(
        f"@{name}: a {name}" for name in NAMES
    )
    story = parse_story(identity, "\n".join(lines), 10)
    assert story.identity_phrases == (
        (("a picture of",) if common else ()) + tuple(f"a {name}" for name in NAMES)
    )
    for line, words, present in zip(lines, story.frames, story.present):
        bare = line.strip().replace("\\@", "\0")
        found = set(re.findall(r"(?<!\w)@(\w+)", bare))
        expected = tuple(
            place + common for place, name in enumerate(NAMES) if name in found or not found
        )
        assert present == ((0,) if common else ()) + expected
        assert words == re.sub(
            r"(?<!\w)@(\w+)", lambda match: match[1].replace("_", " "), bare
        ).replace("\0", "@")


@given(TEXT, TEXT)
def test_without_characters_the_text_is_taken_as_it_stands(identity, frames):
    """What the pack did before it knew casts and lists, written out again: but that a line's edges
    have nothing invisible.
    """
    if re.search(r"@\S+[^:：]*[:：]", "\n".join(identity.splitlines())) or read_frames(frames).kind:
        return
    told = [
        stripped(line)
        for line in frames.splitlines()
        if stripped(line) and not stripped(line).startswith("#")
    ]
    try:
        story = parse_story(identity, frames, 10)
    except InputError:
        assert not stripped(identity) or not told
        return
    assert (story.identity, story.frames, story.present) == (
        stripped(identity),
        tuple(told),
        ((0,),) * len(told),
    )


@given(st.text(alphabet="0123456789:,- a", max_size=20), st.integers(1, 200))
def test_any_text_is_a_retake_or_refused(text, count):
    try:
        takes = parse_retake(text, count)
    except InputError as error:
        assert str(error).startswith("retake: ")
        return
    assert all(0 <= frame < count and 1 <= take <= MAX_TAKE for frame, take in takes.items())
    numbers = noise_numbers(list(range(count)), takes, count, shared=False)
    assert len(set(numbers)) == count


@given(TEXT, TEXT, st.integers(-2, 70))
def test_a_story_is_its_told_lines(identity, frames, window_length):
    try:
        story = parse_story(identity, frames, window_length)
    except InputError:
        return
    assert stripped(story.identity) == story.identity != ""
    for frame in story.frames:
        assert (
            stripped(frame) == frame
            and frame
            and not frame.startswith("#")
            and len(frame.splitlines()) == 1
        )
    for frame, window in enumerate(windows(len(story.frames), window_length)):
        assert frame in window and len(set(window)) == len(window) == min(
            window_length, len(story.frames)
        )


@given(
    st.one_of(TEXT, st.text(alphabet="0123456789-, ", max_size=20)),
    st.integers(1, 1000),
    st.integers(0, 9),
    st.integers(-1, 9),
    st.integers(0, 9),
)
def test_a_selection_is_shared_out_and_batched_without_loss(
    select, count, frames_per_batch, part, parts
):
    try:
        chosen = parse_selection(select, count)
        shares = [share_of(chosen, index, parts) for index in range(max(parts, 1))]
        batches = batches_of(share_of(chosen, part, parts), frames_per_batch)
    except InputError:
        return
    assert chosen == sorted(set(chosen)) and chosen[0] >= 0 and chosen[-1] < count
    assert [frame for share in shares for frame in share] == chosen and all(shares)
    assert [frame for batch in batches for frame in batch] == shares[part]


@given(TEXT, st.integers(1, 300), st.integers(1, 40))
def test_a_caption_is_broken_without_loss(text, width, size):
    font = ImageFont.load_default(size)
    lines = wrap(text, width, font)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(len(line) == 1 or font.getlength(line.rstrip()) <= width for line in lines)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["identity", "frames", "window_length", "x"]), inner
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_the_token_route_reads_or_refuses(body):
    try:
        story = read_request(body)
    except (BadRequest, InputError):
        return
    assert (
        isinstance(story.identity, str)
        and all(isinstance(frame, str) for frame in story.frames)
        and 1 <= story.window_length <= 64
    )


@given(TEXT, TEXT)
def test_tokens_are_counted_for_any_text(identity, frames):
    try:
        story = tell(identity, frames, 10)
    except InputError:
        return
    answer = answer_for(story)
    assert answer["identity"] >= 0 and len(answer["frames"]) == len(story.frames)
    json.dumps(answer, allow_nan=False)


@given(TEXT, TEXT, st.sampled_from(["svr", "svr-eot", "original"]), st.sampled_from([1, 3, 10]))
def test_any_text_is_encoded_or_refused_by_name(demo, identity, frames, mode, window_length):
    try:
        (story,), (count,) = demo.call(
            "StoryPrompt", identity=identity, frames=frames, window_length=window_length
        )
        conditioning = demo.svr(story, mode=mode)
        demo.ipca(story=story)
    except ValueError as error:
        assert str(error).startswith(("Story Prompt - ", "SVR Reweight - ", "IPCA Patch - ")), error
        return
    assert conditioning[0][0].shape[0] == count and torch.isfinite(conditioning[0][0]).all()


NUMBER = st.one_of(st.floats(), st.floats(0, 1), st.floats(0, 10))


@given(NUMBER, NUMBER, NUMBER, NUMBER)
def test_any_number_reweights_or_is_refused_by_name(
    demo, enhance_alpha, enhance_beta, weaken_alpha, weaken_beta
):
    try:
        conditioning = demo.svr(
            enhance_alpha=enhance_alpha,
            enhance_beta=enhance_beta,
            weaken_alpha=weaken_alpha,
            weaken_beta=weaken_beta,
        )
    except ValueError as error:
        assert str(error).startswith("SVR Reweight - "), error
        return
    assert torch.isfinite(conditioning[0][0]).all()


@pytest.mark.parametrize(
    "identity, frames",
    [
        ("fox " * 25_000, "in the snow"),
        ("fox", "\n".join(f"frame {number} in the snow" for number in range(1000))),
    ],
)
def test_very_long_texts_come_through(identity, frames):
    story = parse_story(identity, frames, 10)
    assert len(story.frames) == len(frames.splitlines())
    answer = answer_for(story)
    assert answer["window"] >= 1
