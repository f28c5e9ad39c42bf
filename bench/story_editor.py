"""The frame editor in the page: what it shows, in short calls."""

import pytest

from bench.page import TWO_PAGES, widget

ROWS = ".opos-frames li"
# For what the editor makes of a text and of a run. How it is clicked is tested on all four.
on_two_pages = pytest.mark.parametrize("page", TWO_PAGES, indirect=True)


def frames(page) -> list[str]:
    return widget(page, "StoryPrompt", "frames").split("\n")


def budget(page) -> str:
    return page.inner_text(".opos-budget")


def row(page, number: int):
    return page.locator(ROWS).nth(number - 1)


def wait_for_budget(page, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('.opos-budget')?.innerText.includes(text)", arg=text
    )
