"""Our words in the page's language."""

import pytest

from bench.page import TWO_PAGES, look_at, open_template, set_setting


@pytest.fixture
def speak(page):
    """Sets the page's language; English again afterwards, which every other test reads."""
    yield lambda language: set_setting(page, "Comfy.Locale", language)
    set_setting(page, "Comfy.Locale", "en")


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_our_words_follow_the_pages_language(page, speak):
    """The page's own setting, as it is when a workflow opens."""
    for language, add, everything in (
        ("ja", "+ フレーム", "すべて"),
        ("fr", "+ scène", "toutes"),
        ("en", "+ frame", "all"),
    ):
        speak(language)
        open_template(page, "first-story")
        for node, words, said in (
            ("StoryPrompt", ".opos-add", add),
            ("StoryBatch", ".opos-strip .opos-bar button", everything),
        ):
            look_at(page, node)
            page.wait_for_selector(words)
            assert page.locator(words).inner_text() == said
