"""A pasted list through the nodes: the weight counts, the log and the node say what was read,
wildcards are said once.
"""

import logging

import pytest

from bench.studio import Studio, defaults_of

ANSWER = "Here are the frames:\n\n1) playing\n2) foraging (red berries:1.3)\n\nLet me know if .."


@pytest.fixture
def s(studio) -> Studio:
    return studio("small")


def told(s, frames, identity="a red fox"):
    node = s.nodes["StoryPrompt"]
    return node.execute(
        **{
            name: [value]
            for name, value in {**defaults_of(node), "identity": identity, "frames": frames}.items()
        }
    )


def test_the_weight_of_an_item_counts(s):
    """As without the number: before, `2) foraging (red berries:1.3)` was read as eleven literal
    tokens.
    """
    plain, listed = (
        s.svr(told(s, text).args[0][0]) for text in ("playing\nforaging (red berries:1.3)", ANSWER)
    )
    assert (plain[0][0] == listed[0][0]).all()
    assert s.clip.tokenize("foraging (red berries:1.3)") == s.clip.tokenize(
        told(s, ANSWER).args[0][0].frames[1]
    )


def test_the_log_and_the_node_say_what_was_read(s, caplog):
    with caplog.at_level(logging.INFO, "one-prompt-one-story"):
        output = told(s, ANSWER)
    (record,) = caplog.records
    assert (
        record.getMessage()
        == "Story Prompt: frames read as a numbered list: 2 frames; left out: 'Here are the"
        " frames:', 'Let me know if ..'"
    )
    assert output.args[1] == [2]
    assert output.ui == {
        "story_read": [
            {
                "kind": "numbers",
                "frames": 2,
                "left_out": ["Here are the frames:", "Let me know if .."],
            }
        ]
    }
    caplog.clear()
    with caplog.at_level(logging.INFO, "one-prompt-one-story"):
        assert told(s, "playing\nforaging").ui == {
            "story_read": [{"kind": "", "frames": 2, "left_out": []}]
        }
    assert not caplog.records


def test_an_unexpanded_wildcard_is_said_once(s, caplog):
    frames = "in the {snow|rain}\nat __place__ again\nat __place__\n{no} choice, __init, (a:1.2)"
    with caplog.at_level(logging.WARNING, "one-prompt-one-story"):
        story = told(s, frames).args[0][0]
        told(s, frames)
    (record,) = caplog.records
    assert "'{snow|rain}', '__place__' is sent to the text encoder literally" in record.getMessage()
    assert (
        "connect a node that expands it" in record.getMessage()
        and story.frames[0] == "in the {snow|rain}"
    )


@pytest.mark.parametrize(
    "identity", ["- @fox: a red fox", "**@fox**: a red fox", "\ufeff@fox: a red fox"]
)
def test_a_cast_in_a_list_is_the_cast(s, identity):
    story = told(s, "@fox in the snow", identity).args[0][0]
    assert (story.identity_phrases, story.frames, story.present) == (
        ("a red fox",),
        ("fox in the snow",),
        ((0,),),
    )


def test_a_place_is_in_the_cast(s):
    identity = "@girl: a girl\n@kitchen: a small kitchen with blue tiles"
    story = told(s, "@girl baking in @kitchen\n@girl at sea", identity).args[0][0]
    assert story.present == ((0, 1), (0,)) and story.frames[0] == "girl baking in kitchen"
    assert s.svr(story)[0][0].shape[0] == 2


def test_an_identity_of_two_words_says_how_to_name_it(s):
    with pytest.raises(
        ValueError,
        match=(
            "^Story Prompt - identity: line 1: '@red fox' has several words, and a name is one"
            " word. Write '@red_fox"
        ),
    ):
        told(s, "@red_fox in the snow", "@red fox: a fox")
