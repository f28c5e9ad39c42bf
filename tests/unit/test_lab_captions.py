"""What the demo model's captions say and show, and which of their rows are turned up and down."""

import numpy as np
import pytest
import torch
from story_pack.story.story import tell

from lab.training.attention import Spelled, excess, sharpness
from lab.training.captions import TOKENS, emphasise, fitting
from lab.world import captions
from lab.world.captions import OPENINGS, draw_story, draw_unsaid, preferred
from lab.world.render import NAMES


def test_only_the_absent_and_the_other_frames_are_turned_down():
    """Begin, common text (2 rows), two characters (3, 4), two frames (5, 6); the second character
    is in the first frame.
    """
    rng, down = np.random.default_rng(0), 0
    for _ in range(200):
        factors = emphasise(rng, [2, 3, 4, 5, 6], kept={0, 2, 3}, shown=3)
        begin, common, absent, present, shown, other, rest = np.split(
            factors, np.cumsum([1, 2, 3, 4, 5, 6])
        )
        assert (
            (begin == 1).all()
            and (common == 1).all()
            and (present == 1).all()
            and len(rest) == TOKENS - 21
        )
        assert all(len({*part}) == 1 for part in (absent, shown, other, rest)), (
            "one factor a phrase"
        )
        if (factors == 1).all():
            continue
        down += 1
        assert absent[0] <= 0.6 and other[0] <= 0.6 and 0.95 <= shown[0] <= 1.7
    assert 110 <= down <= 170, "in some nothing is turned down"


def test_a_single_frame_of_a_single_character_is_never_turned_down():
    rng = np.random.default_rng(0)
    for _ in range(100):
        factors = emphasise(rng, [4, 5], kept={0, 1}, shown=1)
        assert (factors[:5] == 1).all() and factors[5:10].min() >= 0.8


def test_a_caption_that_is_too_long_loses_frames_but_the_shown_one():
    phrases = [[0] * 20, [1] * 20, [2] * 15, [3] * 15, [4] * 15]
    assert fitting(phrases, 2, 4) == ([phrases[0], phrases[1], phrases[2], phrases[4]], 3)
    assert fitting(phrases, 2, 2) == (phrases[:4], 2)
    assert fitting(phrases[:3], 2, 2) == (phrases[:3], 2)


@pytest.mark.parametrize("cast", [1, 2, 3])
def test_the_picture_is_what_the_shown_characters_phrase_and_the_shown_frame_say(cast):
    rng = np.random.default_rng(cast)
    for _ in range(100):
        story = draw_story(rng, 3, cast)
        picture = {name: NAMES[name][story["picture"][name]] for name in NAMES}
        common, phrase = (
            [story["phrases"][place] for place in story["present"]]
            if len(story["present"]) > 1
            else ["", story["phrases"][story["present"][0]]]
        )
        assert len(story["phrases"]) == story["first"] + 3 and common in OPENINGS
        assert picture["kind"] in phrase
        for name, said in story["said"].items():
            assert not said or picture[name] in phrase.split()
        words = story["phrases"][story["shown"]]
        assert words.endswith(captions.SCENE_PHRASES[picture["scene"]]) and any(
            part in words for part in captions.PROP_PHRASES[picture["prop"]]
        )
        if cast > 1:
            assert words.split()[0] in (picture["kind"], *captions.GIVEN_NAMES)


def test_a_caption_with_a_cast_has_the_phrases_of_the_packs_own_story():
    rng = np.random.default_rng(5)
    drawn = draw_story(rng, 4, 2)
    while drawn["first"] < 3 or any(
        phrase.split()[0] in captions.GIVEN_NAMES for phrase in drawn["phrases"]
    ):
        drawn = draw_story(rng, 4, 2)
    common, *characters = drawn["phrases"][: drawn["first"]]
    kinds = [next(word for word in text.split() if word in NAMES["kind"]) for text in characters]
    identity = "\n".join([common, *(f"@{kind}: {text}" for kind, text in zip(kinds, characters))])
    story = tell(
        identity, "\n".join("@" + frame for frame in drawn["phrases"][drawn["first"] :]), 10
    )
    assert story.phrases(tuple(range(4))) == tuple(drawn["phrases"])
    assert story.present[drawn["shown"] - drawn["first"]] == drawn["present"]


def test_what_is_unsaid_follows_scenes_and_kind_as_often_as_stated():
    """Body of a kind that prefers 4 and 5, in scenes that prefer 0 and 1, 3 and 4, 6 and 0: shares
    by hand.
    """
    scenes, kind, rng = np.array([0, 1, 2]), 2, np.random.default_rng(0)
    assert [preferred(scene, "body") for scene in scenes] == [(0, 1), (3, 4), (6, 0)] and preferred(
        kind, "body", by_kind=True
    ) == (4, 5)
    found = (
        np.bincount([draw_unsaid(rng, "body", kind, scenes) for _ in range(8000)], minlength=7)
        / 8000
    )
    scene, kinds, any_one = 0.5 / 3 / 2, 0.25 / 2, 0.25 / 7
    expected = np.array([2 * scene, scene, 0, scene, scene + kinds, kinds, scene]) + any_one
    assert expected.sum() == pytest.approx(1) and np.abs(found - expected).max() < 4 * np.sqrt(
        0.25 * 0.75 / 8000
    )


def test_attention_spelled_out_is_attention_and_shows_its_logits():
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 8)
    seen = []
    out = Spelled(lambda *found: seen.append(found))(
        None, q, k, v, 2, transformer_options={"block": ("input", 3)}
    )
    by_heads = [part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (q, k, v)]
    torch.testing.assert_close(
        out, torch.nn.functional.scaled_dot_product_attention(*by_heads).transpose(1, 2).flatten(2)
    )
    ((logits, block),) = seen
    assert block == "input 3"
    torch.testing.assert_close(logits, by_heads[0] @ by_heads[1].transpose(-1, -2) / 2)
    Spelled(lambda *_: pytest.fail("self-attention is not looked at"))(
        None, q, q, q, 2, transformer_options={}
    )


def test_only_sharp_attention_is_fined():
    logits = torch.tensor([[6.0, -6.0], [1.0, -1.0], [0.0, 0.0]])
    torch.testing.assert_close(sharpness(logits)[:2], torch.tensor([6.0, 1.0]))
    assert float(excess(logits)) == pytest.approx((6 / 2 - 1) ** 2 / 3)


def test_a_casts_columns_are_what_the_judge_names():
    """Four frames of a fox and a cat: all right; a wrong coat; the absent cat in the fox's looks; a
    stranger in another scene.
    """
    from lab.evidence.stories import measure

    fox = {
        "kind": "fox",
        "body": "red",
        "coat": "green",
        "pattern": "plain",
        "scene": "snow",
        "prop": "none",
    }
    cat = {**fox, "kind": "cat", "body": "blue", "scene": "moon"}
    named = [
        cat,
        {**cat, "coat": "red"},
        {**fox, "kind": "cat"},
        {**fox, "kind": "robot", "scene": "city"},
    ]

    class Saying:
        def name(self, pictures):
            return {
                name: torch.tensor([NAMES[name].index(frame[name]) for frame in named])
                for name in NAMES
            }

    found = measure(
        torch.zeros(4, 3, 32, 32), {"cast": ["fox", "cat"], "shown": [cat, cat, fox, fox]}, Saying()
    )
    assert found == {
        "kind": 0.5,
        "colours": 7 / 8,
        "pattern": 1.0,
        "scene": 0.75,
        "prop": 1.0,
        "absent": 0.25,
    }
