"""Makes the pictures in the README, the help pages and the template browser again, in the real
page: `make pictures`.

They come from the bundled workflows, run on the demo model. Thumbnails of those that it cannot
serve are drawn.
"""

import io
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from bench.inprocess import ROOT
from bench.page import (
    FLAGS,
    SETTINGS,
    browse_templates,
    chromium_path,
    look_at,
    open_template,
    queue,
    set_setting,
    wait_for_app,
)
from bench.server import Client, Server
from bench.subgraphs import all_nodes
from bench.workflow import load, names, saved, to_api, with_inputs
from lab.pictures import thumbnails

DOCS, HELP, WORKFLOWS = ROOT / "docs", ROOT / "web/docs", ROOT / "workflows"
CHART = 4  # which of Story Score's outputs
BARE = {
    **SETTINGS,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.NodeBadge.NodeSourceBadgeMode": "None",
    "Comfy.Workflow.ShowMissingModelsWarning": False,  # its dialog would lie on the pictures
}
HIDDEN = (
    ".graph-canvas-menu, .p-buttongroup, [class*=canvas-menu], .comfy-menu-hamburger, .p-toast"
    " {display: none !important}"
)
FIT = """() => {
    const boxes = app.graph._nodes.map(node => node.getBounding());
    const left = Math.min(...boxes.map(b => b[0])), top = Math.min(...boxes.map(b => b[1]));
    const width = Math.max(...boxes.map(b => b[0] + b[2])) - left;
    const height = Math.max(...boxes.map(b => b[1] + b[3])) - top;
    const scale = Math.min(innerWidth / (width + 60), innerHeight / (height + 60));
    app.canvas.ds.scale = scale;
    const middle = [innerWidth / scale - width, innerHeight / scale - height];
    app.canvas.ds.offset = [middle[0] / 2 - left, middle[1] / 2 - top];
    app.canvas.setDirty(true, true);
}"""


def main() -> None:
    thumbnails.main()
    photograph_drawings()
    with tempfile.TemporaryDirectory() as folder, comfyui(Path(folder)) as server:
        client = Client(server.url)
        # Before the others: one-frame-again takes its pictures from a film in the output folder.
        client.run(to_api(load("story-film"), client.get("/object_info")))
        for name in filter(has_a_storyboard, names()):
            make_storyboard(client, name)
        with browser_page(server.url) as page:
            photograph_template_browser(page)
        with browser_page(server.url, focus=True) as page:
            photograph_first_run(page)
            photograph_nodes(page)


def has_a_storyboard(name: str) -> bool:
    return name not in thumbnails.CARDS and any(
        node["type"] == "StorySheet" for node in all_nodes(load(name))
    )


def make_storyboard(client: Client, name: str) -> None:
    prompt = to_api(load(name), client.get("/object_info"))
    (board,) = saved(prompt, client.run(prompt), "story/storyboard")
    save(Image.open(io.BytesIO(board)), WORKFLOWS / f"{name}.jpg", (640, 640))
    if name == "first-story":
        Image.open(io.BytesIO(board)).convert("RGB").save(DOCS / "story.png", optimize=True)
        comic = with_inputs(
            prompt, "StorySheet", style="comic strip", columns=4, paper="black", title=""
        )
        (strip,) = saved(comic, client.run(comic), "story/storyboard")
        save(one_above_the_other([board, strip]), HELP / "StorySheet.jpg", (760, 760))
    if name == "best-seed":
        score = next(node for node, item in prompt.items() if item["class_type"] == "StoryScore")
        one = with_inputs(prompt, "SaveImage", images=[score, CHART])
        (chart,) = saved(one, client.run(one), "story/storyboard")
        save(Image.open(io.BytesIO(chart)), HELP / "StoryScore.jpg", (760, 760))


def photograph_template_browser(page) -> None:
    browse_templates(page)
    page.wait_for_timeout(4000)
    save(screenshot(page), DOCS / "step-1-templates.jpg", (1100, 900))


def photograph_first_run(page) -> None:
    open_template(page, "first-story-simple")
    page.evaluate(FIT)  # pictures outside the window are not loaded
    queue(page)
    page.wait_for_timeout(3000)
    photograph = screenshot(page)
    save(photograph, DOCS / "step-3-run.jpg", (1640, 900))


def photograph_nodes(page) -> None:
    set_setting(page, "Comfy.VueNodes.Enabled", True)
    page.wait_for_timeout(1500)
    open_template(page, "sdxl-story")
    for node in ("StoryPrompt", "SVRReweight", "IPCAPatch", "StoryBatch"):
        photograph_node(page, node, HELP / f"{node}.jpg")
    open_template(page, "first-story")
    photograph_node(page, "StoryDemoModel", HELP / "StoryDemoModel.jpg")
    open_template(page, "distributed-story")
    photograph_node(page, "StorySlate", HELP / "StorySlate.jpg")
    open_template(page, "first-story-simple")
    photograph_node(
        page,
        load("first-story-simple")["definitions"]["subgraphs"][0]["id"],
        DOCS / "step-2-prompt.jpg",
        scale=0.75,  # all of it
    )
    open_template(page, "first-story")
    page.evaluate(
        "() => { const select = app.graph._nodes.find(n => n.type === 'StoryBatch').widgets.find(w"
        " => w.name === 'select'); select.value = '3'; select.callback?.('3'); }"
    )
    photograph_node(page, "StoryBatch", DOCS / "step-4-select.jpg")


def photograph_node(page, node_type: str, path: Path, scale: float = 1) -> None:
    look_at(page, node_type, scale=scale)
    page.wait_for_timeout(1000)
    node = page.evaluate(
        "type => String(app.graph._nodes.find(node => node.type === type).id)", node_type
    )
    box = page.locator(f'[data-node-id="{node}"]').first.bounding_box()
    clip = {
        "x": max(0, box["x"] - 6),
        "y": max(0, box["y"] - 6),
        "width": box["width"] + 12,
        "height": box["height"] + 12,
    }
    save(Image.open(io.BytesIO(page.screenshot(clip=clip))), path, (460, 900))


def comfyui(folder: Path) -> Server:
    (folder / "user/default").mkdir(parents=True)
    (folder / "user/default/comfy.settings.json").write_text(json.dumps(BARE))
    return Server(folder)


def photograph_drawings() -> None:
    """The help pages' drawings, `<node>.svg` beside this file, at the size that they say."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        for drawing in sorted(Path(__file__).parent.glob("*.svg")):
            page = chromium.new_page()
            page.goto(drawing.as_uri())
            image = page.locator("svg").screenshot()
            Image.open(io.BytesIO(image)).save(HELP / f"{drawing.stem}.png", optimize=True)
        chromium.close()


@contextmanager
def browser_page(url: str, focus: bool = False):
    """The page, without its menus where `focus` is set."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        page = chromium.new_page(viewport={"width": 1640, "height": 900})
        page.goto(url, timeout=60_000)
        wait_for_app(page)
        page.wait_for_timeout(2500)
        if focus:
            page.evaluate("app.extensionManager.command.execute('Workspace.ToggleFocusMode')")
            page.add_style_tag(content=HIDDEN)
            page.wait_for_timeout(800)
        yield page
        chromium.close()


def screenshot(page) -> Image.Image:
    page.wait_for_timeout(1200)
    return Image.open(io.BytesIO(page.screenshot()))


def one_above_the_other(files: list[bytes]) -> Image.Image:
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    sheet = Image.new(
        "RGB",
        (
            max(picture.width for picture in pictures),
            sum(picture.height + 12 for picture in pictures) - 12,
        ),
        "#888888",
    )
    top = 0
    for picture in pictures:
        sheet.paste(picture, ((sheet.width - picture.width) // 2, top))
        top += picture.height + 12
    return sheet


def save(picture: Image.Image, path: Path, size: tuple[int, int]) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail(size, Image.Resampling.LANCZOS)
    picture.save(path, quality=83, optimize=True)
    print(f"{path.relative_to(ROOT)} {picture.width}x{picture.height}")
