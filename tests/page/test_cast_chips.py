"""The chips of the cast on every frame: clicked as a person does."""

import pytest

from bench.page import look_at, queue, set_widget
from bench.story_editor import frames, on_two_pages, row


@pytest.fixture
def cast(editor):
    """The first story with two characters, typed by hand."""
    set_widget(
        editor,
        "StoryPrompt",
        "identity",
        "A picture of\n@fox: a red fox with a green coat\n@Old_Cat: a white cat with a blue coat",
    )
    set_widget(
        editor,
        "StoryPrompt",
        "frames",
        "@fox in the snow\n@old_cat and @fox at the beach\nin the forest\nthe village @nobody",
    )
    editor.wait_for_selector(".opos-cast")
    return editor


def chips(page, number: int) -> dict:
    """Who is in a frame, by the chips on its row."""
    return {
        chip.inner_text(): chip.get_attribute("aria-pressed") == "true"
        for chip in row(page, number).locator(".opos-cast button").all()
    }


def toggle(page, number: int, name: str) -> str:
    """Click a chip; the frame's text afterwards."""
    row(page, number).locator(".opos-cast button", has_text=name).click()
    return frames(page)[number - 1]


@on_two_pages
def test_chips_show_the_cast_of_every_frame_and_a_click_writes_the_text(cast):
    assert [chips(cast, number) for number in (1, 2, 3, 4)] == [
        {"@fox": True, "@Old_Cat": False},
        {"@fox": True, "@Old_Cat": True},
        {"@fox": True, "@Old_Cat": True},
        {"@fox": False, "@Old_Cat": False},
    ]
    assert toggle(cast, 1, "@Old_Cat") == "@Old_Cat, @fox in the snow"
    assert toggle(cast, 1, "@Old_Cat") == "@fox in the snow"
    assert toggle(cast, 1, "@fox") == "in the snow @nobody" and chips(cast, 1) == {
        "@fox": False,
        "@Old_Cat": False,
    }
    assert toggle(cast, 2, "@Old_Cat") == "@fox at the beach"
    assert toggle(cast, 3, "@fox") == "@Old_Cat in the forest"
    assert toggle(cast, 4, "@fox") == "@fox the village" and chips(cast, 4) == {
        "@fox": True,
        "@Old_Cat": False,
    }
    row(cast, 4).locator("input[type=text]").fill("the old cat in the village, not me@fox @nobody")
    assert toggle(cast, 4, "@Old_Cat") == "the @old_cat in the village, not me@fox"


@on_two_pages
def test_the_budget_counts_the_whole_cast_and_says_what_is_wrong_with_it(cast):
    cast.wait_for_function("/identity 17/.test(document.querySelector('.opos-budget').innerText)")
    assert cast.locator(".opos-tokens").nth(3).inner_text() == "2", (
        "the village: the mention of nobody is no word"
    )
    row(cast, 1).locator("input[type=text]").fill("@dog in the snow")
    cast.wait_for_function(
        "/frames: line 1: @dog is"
        " unknown/.test(document.querySelector('.opos-budget.opos-problem')?.innerText)"
    )
    row(cast, 1).locator("input[type=text]").fill("@fox in the snow")
    cast.wait_for_function("!document.querySelector('.opos-problem')")


def test_every_chip_of_a_large_cast_can_be_clicked(cast):
    names = [f"a_character_with_a_long_name_{number}" for number in range(5)]
    set_widget(cast, "StoryPrompt", "identity", "\n".join(f"@{name}: a fox" for name in names))
    set_widget(cast, "StoryPrompt", "frames", "in the snow @nobody")
    assert toggle(cast, 1, names[-1]) == f"@{names[-1]} in the snow"


@on_two_pages
def test_what_the_page_wrote_runs(cast):
    """A story of two characters, a frame switched off, a block switched off."""
    row(cast, 3).locator("input[type=checkbox]").click()
    look_at(cast, "IPCAPatch")
    cast.locator(".opos-u button").nth(0).click()
    queue(cast, steps=2)
    prompt = cast.evaluate("app.graphToPrompt().then(result => result.output)")
    (story,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "StoryPrompt")
    assert story["frames"].split("\n")[1:3] == ["@old_cat and @fox at the beach", "# in the forest"]
    (patch,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "IPCAPatch")
    assert patch["blocks"] == "mid, up0"
