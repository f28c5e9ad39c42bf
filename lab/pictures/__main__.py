"""Makes the pictures in the README, the help pages and the template browser again, in the real
page: `make pictures`.

They come from the bundled workflows, run on the demo model. Thumbnails of those that it cannot
serve are drawn.
"""

import tempfile
from pathlib import Path

from PIL import Image

from bench import page as steps
from bench.inprocess import ROOT
from bench.server import Client
from bench.subgraphs import all_nodes, definitions
from bench.workflow import load, names, saved, to_api, with_inputs

from . import thumbnails
from .page import BARE, hide_menus, opened, photograph, photograph_node, picture, save

DOCS, HELP, WORKFLOWS = ROOT / "docs", ROOT / "web/docs", ROOT / "workflows"
CHART = 4  # which of Story Score's outputs
NODES = {  # by the workflow in which they are photographed
    "sdxl-story": ("StoryPrompt", "SVRReweight", "IPCAPatch", "StoryBatch"),
    "distributed-story": ("StorySlate",),
    "first-story": ("StoryDemoModel",),
}


def main() -> None:
    thumbnails.main()
    with (
        tempfile.TemporaryDirectory() as folder,
        steps.page_server(Path(folder), settings=BARE) as server,
        steps.chromium() as browser,
    ):
        photograph_drawings(browser)
        client = Client(server.url)
        # Before the others: one-frame-again takes its pictures from a film in the output folder.
        client.run(to_api(load("story-film"), client.info))
        for name in sorted({*names()} - {*thumbnails.CARDS}):
            if any(node["type"] == "StorySheet" for node in all_nodes(load(name))):
                make_storyboard(client, name)
        page = opened(browser, server.url)
        steps.browse_templates(page)
        page.wait_for_timeout(3000)
        photograph(page, DOCS / "step-1-templates.jpg", (1100, 900))
        page = opened(browser, server.url)
        hide_menus(page)
        photograph_first_run(page)
        photograph_nodes(page)


def photograph_drawings(browser) -> None:
    """The help pages' drawings, `<node>.svg` beside this file, at the size that they say."""
    page = browser.new_page()
    for drawing in Path(__file__).parent.glob("*.svg"):
        page.goto(drawing.as_uri())
        image = picture(page.locator("svg").screenshot())
        image.save(HELP / f"{drawing.stem}.png", optimize=True)


def make_storyboard(client: Client, name: str) -> None:
    def shown(prompt: dict) -> Image.Image:
        (board,) = saved(prompt, client.run(prompt), "story/storyboard")
        return picture(board)

    prompt = to_api(load(name), client.info)
    board = shown(prompt)
    save(board, WORKFLOWS / f"{name}.jpg", (640, 640))
    if name == "first-story":
        board.save(DOCS / "story.png", optimize=True)
        look = {"style": "comic strip", "columns": 4, "paper": "black", "title": ""}
        strip = shown(with_inputs(prompt, "StorySheet", **look))
        save(one_above_the_other(board, strip), HELP / "StorySheet.jpg", (760, 760))
    if name == "best-seed":
        score = next(node for node, item in prompt.items() if item["class_type"] == "StoryScore")
        chart = shown(with_inputs(prompt, "SaveImage", images=[score, CHART]))
        save(chart, HELP / "StoryScore.jpg", (760, 760))


def one_above_the_other(upper: Image.Image, lower: Image.Image, gap: int = 12) -> Image.Image:
    width, height = max(upper.width, lower.width), upper.height + gap + lower.height
    sheet = Image.new("RGB", (width, height), "#888888")
    for each, top in ((upper, 0), (lower, upper.height + gap)):
        sheet.paste(each, ((width - each.width) // 2, top))
    return sheet


def photograph_first_run(page) -> None:
    steps.open_template(page, "first-story-simple")
    # pictures outside the window are not loaded
    page.evaluate("app.canvas.fitViewToSelectionAnimated({zoom: 0.95})")
    steps.queue(page)
    page.wait_for_timeout(3000)
    photograph(page, DOCS / "step-3-run.jpg", (1640, 900))


def photograph_nodes(page) -> None:
    steps.set_setting(page, "Comfy.VueNodes.Enabled", True)
    page.wait_for_timeout(1500)
    steps.open_template(page, "first-story-simple")
    (whole,) = definitions(load("first-story-simple"))
    photograph_node(page, whole, DOCS / "step-2-prompt.jpg", scale=0.75)  # all of it
    for workflow, types in NODES.items():
        steps.open_template(page, workflow)
        for node_type in types:
            photograph_node(page, node_type, HELP / f"{node_type}.jpg")
    steps.set_widget(page, "StoryBatch", "select", "3")
    photograph_node(page, "StoryBatch", DOCS / "step-4-select.jpg")


if __name__ == "__main__":
    main()
