"""IPCA's blocks as a picture: a UNet's as a U, a transformer's in rows. Clicked as a person
does.
"""

import pytest

from bench.page import TWO_PAGES, look_at, open_template, widget


def test_blocks_are_switched_in_the_picture(page):
    open_template(page, "sdxl-story")
    look_at(page, "IPCAPatch")
    block = page.locator(".opos-u button")
    assert [text.split()[0] for text in block.all_inner_texts()] == [
        "down1",
        "down2",
        "mid",
        "up0",
        "up1",
    ]
    block.nth(0).click()
    assert widget(page, "IPCAPatch", "blocks") == "down2, mid, up0, up1"
    block.nth(0).click()
    assert widget(page, "IPCAPatch", "blocks") == "all"
    page.locator(".opos-presets button", has_text="coarse").click()
    assert widget(page, "IPCAPatch", "blocks") == "coarse"
    assert page.locator(".opos-u button[aria-pressed=true] b").all_inner_texts() == [
        "down2",
        "mid",
        "up0",
    ]
    page.locator(".opos-blocks select").select_option("SD1.x, SD2.x")
    assert page.locator(".opos-u button[aria-pressed=true] b").all_inner_texts() == [
        "down2",
        "mid",
        "up1",
    ]
    assert widget(page, "IPCAPatch", "blocks") == "coarse", (
        "looking at another family changes nothing"
    )


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_the_picture_knows_the_blocks_that_the_nodes_read_off_the_models(page):
    """The same lists are in the tests of the block names, against real UNets."""
    open_template(page, "sdxl-story")
    look_at(page, "IPCAPatch")
    pressed = page.locator(".opos-u button[aria-pressed=true] b")
    presets = page.locator(".opos-presets button")
    for family, blocks, coarse in (
        ("SDXL", "down1 down2 mid up0 up1", "down2 mid up0"),
        ("SD1.x, SD2.x", "down0 down1 down2 mid up1 up2 up3", "down2 mid up1"),
        ("Story Demo Model", "down1 mid up0", "down1 mid up0"),
    ):
        page.locator(".opos-blocks select").select_option(family)
        presets.filter(has_text="all").click()
        assert pressed.all_inner_texts() == blocks.split(), family
        presets.filter(has_text="coarse").click()
        assert pressed.all_inner_texts() == coarse.split(), family
        assert presets.all_inner_texts() == (
            ["all", "coarse", "fine"] if coarse != blocks else ["all", "coarse"]
        )


def test_a_transformers_blocks_are_switched_by_number(page):
    open_template(page, "sdxl-story")
    look_at(page, "IPCAPatch")
    page.locator(".opos-blocks select").select_option("Flux.2 Klein 4B")
    cell = page.locator(".opos-stages button")
    assert page.locator(".opos-stages small").all_inner_texts() == ["double", "single"]
    assert cell.count() == 25
    cell.nth(5).click()
    cell.nth(24).click(modifiers=["Shift"])
    assert widget(page, "IPCAPatch", "blocks") == "double0-4"
    cell.nth(0).click()
    cell.nth(10).click()
    assert widget(page, "IPCAPatch", "blocks") == "double1-4, single5"
    page.locator(".opos-presets button", has_text="fine").click()
    assert page.locator(".opos-stages button[aria-pressed=true]").count() == 13


def test_every_block_is_in_sight_whatever_family_was_shown_before(page):
    """From the three blocks of the demo model's to a larger picture: the node has room, nothing of
    the picture is cut off.
    """
    open_template(page, "first-story")
    look_at(page, "IPCAPatch")
    button = page.locator(".opos-stages button, .opos-u button")
    node = "app.graph._nodes.find(node => node.type === 'IPCAPatch')"
    size = page.evaluate(f"Array.from({node}.size)")
    for family, cells in (("Krea 2", 28), ("Ovis-Image", 33), ("Qwen-Image", 60), ("SDXL", 5)):
        page.locator(".opos-blocks select").select_option("Story Demo Model")
        assert button.count() == 3
        page.evaluate(f"size => {node}.setSize(size)", size)  # as it was opened
        page.locator(".opos-blocks select").select_option(family)
        assert button.count() == cells, family
        page.wait_for_function(
            """() => {
                const shown = document.querySelector(".opos-blocks").getBoundingClientRect();
                return [...document.querySelectorAll(".opos-stages button, .opos-u button")].every(
                    each => each.getBoundingClientRect().bottom <= shown.bottom + 1);
            }""",
            timeout=5000,
        )
