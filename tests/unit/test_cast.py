"""The cast as text: who is named, who is in which frame, and what a prompt then says."""

import logging

import pytest
from story_pack.story.story import parse_story

IDENTITY = """
A watercolour picture of
@girl: a girl with red braids and a yellow raincoat

@old_dog : a small brown dog with a blue collar
"""
GIRL, DOG = "a girl with red braids and a yellow raincoat", "a small brown dog with a blue collar"


def told(frames, identity=IDENTITY):
    return parse_story(identity, frames, 10)


def test_mentions_become_words_and_say_who_is_there():
    story = told(
        "@girl feeding ducks\n@old_dog chasing a ball\n\n# @girl asleep\n"
        "@girl and @Old_Dog in the rain\nat home\nthe street @nobody at night"
    )
    assert story.identity_phrases == ("A watercolour picture of", GIRL, DOG)
    assert story.identity == f"A watercolour picture of {GIRL} {DOG}"
    assert story.frames == (
        "girl feeding ducks",
        "old dog chasing a ball",
        "girl and Old Dog in the rain",
        "at home",
        "the street at night",
    )
    assert story.present == ((0, 1), (0, 2), (0, 1, 2), (0, 1, 2), (0,))
    assert story.phrases((1, 0)) == (*story.identity_phrases, story.frames[1], story.frames[0])


def test_without_common_text_the_characters_are_all_of_the_identity():
    story = told("@girl at sea\nthe sea @nobody\nin the snow", "@girl: a girl\n@dog: a dog")
    assert story.identity_phrases == ("a girl", "a dog") and story.present == ((0,), (), (0, 1))


def test_a_mention_counts_at_a_words_beginning_only():
    story = told(r"write to me@girl or \@girl, (@girl:1.2), @ noon, @girl's hat")
    assert story.frames == (
        "write to me@girl or @girl, (girl:1.2), @ noon, girl's hat",
    ) and story.present == ((0, 1),)


def test_names_of_any_script():
    story = told("@लड़की और @狐 जंगल में\n@FÉE", "@लड़की: a girl\n@狐：a fox\n@fe\u0301e: a fairy")
    assert story.present == ((0, 1), (2,)) and story.frames[0] == "लड़की और 狐 जंगल में"


def test_descriptions_may_mention_the_others():
    assert (
        told("at sea", "@dog: a dog\n@girl: the girl who owns the @dog").identity_phrases[1]
        == "the girl who owns the dog"
    )


@pytest.mark.parametrize(
    "identity, frames",
    [
        ("a red fox", "@fox in the snow @nobody \\@ me@home"),
        ("a picture of @girl: a girl", "@girl at sea"),
        ("\\@girl: a girl\n@ girl: another", "\\@girl at sea"),
        ("@a.b: a girl", "@a at sea"),
    ],
)
def test_without_a_character_line_every_text_stands_as_it_is(identity, frames):
    story = told(frames, identity)
    assert (story.identity_phrases, story.frames, story.present) == (
        (identity,),
        (frames,),
        ((0,),),
    )


@pytest.mark.parametrize(
    "identity, frames, said",
    [
        (
            IDENTITY,
            "at sea\n\n@cat asleep",
            "frames: line 3: @cat is unknown. The cast is @girl, @old_dog, @nobody",
        ),
        (
            IDENTITY,
            "@girl at sea @nobody",
            "frames: line 1: @nobody is used together with a character",
        ),
        (IDENTITY, "at sea\n@nobody", "frames: line 2: '@nobody' has no words"),
        (
            "@girl: a girl\n@Girl: another",
            "x",
            "identity: line 2: @Girl is named twice (known so far: @girl)",
        ),
        ("common\n@girl:", "x", "identity: line 2: @girl has no description"),
        ("@nobody: a ghost", "x", "identity: line 1: @nobody is reserved"),
        (
            "@girl: a girl\nin soft light",
            "x",
            "identity: line 2: 'in soft light' is after a character but is not one",
        ),
        ("with @cat\n@girl: a girl", "x", "identity: line 1: @cat is unknown. The cast is @girl"),
        (
            "\n".join(f"@n{number}: a fox" for number in range(65)),
            "x",
            "identity: it names 65 characters",
        ),
    ],
)
def test_errors_name_the_line_and_the_known_names(identity, frames, said):
    with pytest.raises(ValueError) as error:
        told(frames, identity)
    assert str(error.value).startswith(said)


def test_a_character_that_no_frame_has_is_said_once(caplog):
    with caplog.at_level(logging.WARNING, "one-prompt-one-story"):
        told("@girl at sea\n@girl asleep")
        (record,) = caplog.records
        assert DOG[:40] in record.getMessage()
        told("@girl at sea\nboth at home")
    assert len(caplog.records) == 1
