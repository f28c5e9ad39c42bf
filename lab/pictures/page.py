"""Photographs of ComfyUI's real page."""

import io
from pathlib import Path

from PIL import Image

from bench.inprocess import ROOT
from bench.page import SETTINGS, look_at, wait_for_app

BARE = {
    **SETTINGS,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.NodeBadge.NodeSourceBadgeMode": "None",
    "Comfy.Workflow.ShowMissingModelsWarning": False,  # its dialog would lie on the pictures
}
MENUS = ".graph-canvas-menu, .p-buttongroup, [class*=canvas-menu], .comfy-menu-hamburger, .p-toast"
EDGE = 6  # around a node, for the dots of its inputs and outputs


def opened(browser, url: str):
    """The page of a server, in a window of its own."""
    page = browser.new_page(viewport={"width": 1640, "height": 900})
    page.goto(url, timeout=60_000)
    wait_for_app(page)
    page.wait_for_timeout(2500)
    return page


def hide_menus(page) -> None:
    page.evaluate("app.extensionManager.command.execute('Workspace.ToggleFocusMode')")
    page.add_style_tag(content=f"{MENUS} {{display: none !important}}")
    page.wait_for_timeout(800)


def photograph(page, path: Path, size: tuple[int, int], **more) -> None:
    page.wait_for_timeout(1200)
    save(picture(page.screenshot(**more)), path, size)


def photograph_node(page, node_type: str, path: Path, scale: float = 1) -> None:
    """A node of the open workflow, in Nodes 2.0."""
    look_at(page, node_type, scale)
    node = page.evaluate("type => app.graph._nodes.find(n => n.type === type).id", node_type)
    clip = page.locator(f'[data-node-id="{node}"]').first.bounding_box()
    for side, more in {"x": -EDGE, "y": -EDGE, "width": 2 * EDGE, "height": 2 * EDGE}.items():
        clip[side] += more
    photograph(page, path, (460, 900), clip=clip)


def picture(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file)).convert("RGB")


def save(picture: Image.Image, path: Path, size: tuple[int, int]) -> None:
    """At most that size."""
    picture = picture.copy()
    picture.thumbnail(size, Image.Resampling.LANCZOS)
    picture.save(path, quality=83, optimize=True)
    print(f"{path.relative_to(ROOT)} {picture.width}x{picture.height}")
