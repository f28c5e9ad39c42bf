"""The strip of frames on Story Batch: clicked as a person does, and with the pictures of a run."""

import pytest

from bench.page import look_at, queue, set_widget, widget
from bench.story_editor import frames, on_two_pages

BATCH_SIZE = "Array.from(app.graph._nodes.find(node => node.type === 'StoryBatch').size)"


@pytest.fixture
def strip(editor):
    look_at(editor, "StoryBatch")
    editor.wait_for_selector(".opos-frame")
    return editor


def test_the_strip_selects_frames_and_asks_for_another_take(strip):
    tiles = strip.locator(".opos-tile")
    assert tiles.count() == 4

    def pressed():
        return [
            tile.get_attribute("aria-pressed") == "true"
            for tile in strip.locator(".opos-frame").all()
        ]

    tiles.nth(2).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "3" and pressed() == [False, False, True, False]
    tiles.nth(1).locator(".opos-frame").click()
    tiles.nth(0).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "1-3"
    tiles.nth(3).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "" and pressed() == [True] * 4
    for typed, shown in (
        ("all of them", [False] * 4),
        ("2, 9-1", [False, True, False, False]),
        ("", [True] * 4),
    ):
        set_widget(strip, "StoryBatch", "select", typed)
        assert pressed() == shown, "what cannot be read names no frame"
    for _ in range(2):
        tiles.nth(2).locator(".opos-take").last.click()
    tiles.nth(0).locator(".opos-take").click()
    assert widget(strip, "StoryBatch", "retake") == "1:2, 3:3"
    tiles.nth(0).locator(".opos-take").first.click()
    assert widget(strip, "StoryBatch", "retake") == "3:3" and tiles.nth(2).inner_text().split() == [
        "3",
        "take",
        "3",
        "−",
        "⟳",
    ]
    values = strip.evaluate(
        "app.graph.serialize().nodes.find(node => node.type === 'StoryBatch').widgets_values"
    )
    assert values[-1] == "3:3", "nothing of the strip is saved"


@on_two_pages
def test_after_a_run_the_strip_shows_each_frames_picture(strip):
    strip.locator(".opos-frame").nth(1).click()
    queue(strip, steps=2)
    shown = (
        "numbers => [...document.querySelectorAll('.opos-frame')].map((tile, index) =>"
        " tile.querySelector('img')?.naturalWidth ? index + 1 : 0).join() === numbers"
    )
    strip.wait_for_function(shown, arg="0,2,0,0")
    strip.locator(".opos-strip .opos-bar button").click()
    queue(strip, steps=2)
    strip.wait_for_function(shown, arg="1,2,3,4")
    one, two, three, four = strip.evaluate(
        "[...document.querySelectorAll('.opos-frame img')].map(picture => picture.src)"
    )
    size = strip.evaluate(BATCH_SIZE)
    set_widget(
        strip,
        "StoryPrompt",
        "frames",
        "\n".join([*(frames(strip)[place] for place in (3, 1, 0)), "at sea", "in the city"]),
    )
    now = (
        "[...document.querySelectorAll('.opos-tile')].map(tile => tile.querySelector('img')?.src ??"
        " null)"
    )
    assert strip.evaluate(now) == [four, two, one, None, None], (
        "a picture stays with its frame's text"
    )
    assert strip.evaluate(BATCH_SIZE) == size, (
        "more frames scroll, they do not cover the node below"
    )
