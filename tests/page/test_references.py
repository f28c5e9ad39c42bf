"""Story Reference in the page: chips of the cast with their pictures, and a strip of frames that
still knows its story.
"""

import pytest

from bench.page import look_at, open_template
from bench.workflow import newer_nodes

CHIPS = ".opos-frames .opos-cast"


def pictures(page) -> list[list[str | None]]:
    """By frame, the file on each chip."""
    return page.evaluate(
        "query => [...document.querySelectorAll(query)].map(bar =>"
        " [...bar.querySelectorAll('button')].map(chip => new"
        " URLSearchParams(chip.querySelector('img')?.src.split('?')[1]).get('filename')))",
        CHIPS,
    )


def test_chips_show_the_pictures_and_the_strip_knows_the_frames(page, info):
    if lacking := newer_nodes("cast-from-pictures", info):
        pytest.skip(f"this ComfyUI has no {', '.join(lacking)}")
    open_template(page, "cast-from-pictures")
    look_at(page, "StoryPrompt")
    page.wait_for_selector(f"{CHIPS} img")
    assert pictures(page) == [["girl.png", "dog.png"]] * 5
    page.wait_for_function(
        "query => [...document.querySelectorAll(query)].every(image => image.naturalWidth === 64)",
        arg=f"{CHIPS} img",
    )
    page.evaluate(
        "() => { const of = name => app.graph._nodes.filter(n => n.type === 'StoryReference').map(n"
        " => n.widgets.find(w => w.name === name)); of('character')[1].value = '@GIRL'; }"
    )
    page.mouse.move(2, 2)  # the node looks when the pointer comes in
    page.locator(".opos-budget").hover()
    assert pictures(page) == [["girl.png", None]] * 5, "the first of two of the same character"
    look_at(page, "StoryBatch")
    page.wait_for_selector(".opos-tile")
    assert page.locator(".opos-tile").count() == 5
