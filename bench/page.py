"""What an artist does in the page, in short calls."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import TimeoutError as PageTimeout

from bench.server import Server

FOLDER = "one-prompt-one-story"
# Of the four pages (tests/page), the two that differ most: for what does not depend on the page's
# own ways.
TWO_PAGES = ["own, classic", "newest, nodes 2.0"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The page's first-run dialogs and extras, which would cover the graph.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Minimap.Visible": False,
    "Comfy.VersionCompatibility.DisableWarnings": True,
}


def chromium_path() -> str | None:
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium, as long as it is needed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield browser
        browser.close()


def page_server(folder: Path, *options: str, settings: dict = SETTINGS) -> Server:
    """A server on `folder` whose page begins with these of its own settings."""
    user = folder / "user/default"
    user.mkdir(parents=True)
    (user / "comfy.settings.json").write_text(json.dumps(settings))
    return Server(folder, *options)


def wait_for_app(page) -> None:
    """Until the page has started and knows our nodes."""
    page.wait_for_function(
        "!!(window.app && window.app.graph && window.app.extensionManager)", timeout=60_000
    )
    page.wait_for_function(
        "Object.keys(LiteGraph.registered_node_types).includes('StoryBatch')", timeout=60_000
    )


def set_setting(page, name: str, value) -> None:
    """One of the page's own settings, by its name there."""
    page.evaluate("([name, value]) => app.extensionManager.setting.set(name, value)", [name, value])


def browse_templates(page):
    """The template browser, with the pack's group open."""
    page.evaluate("app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    browser = page.get_by_role("dialog").last
    browser.get_by_text(FOLDER).first.click()
    return browser


def scroll_to_template(page, name: str) -> None:
    """Until its card is there, in the open template browser: it draws the next few only when the
    last ones are looked at.
    """
    dialog = page.get_by_role("dialog").last
    card, box = dialog.get_by_text(name, exact=True).first, dialog.bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"])
    for _ in range(40):
        if card.count():
            break
        page.mouse.wheel(0, 1200)
        page.wait_for_timeout(150)
    card.wait_for()


def click_template(page, name: str) -> None:
    """Open a workflow by hand; the template browser is open."""
    page.get_by_role("dialog").last.get_by_text(name, exact=True).first.click()
    page.wait_for_function(
        "name => app.extensionManager.workflow.activeWorkflow?.filename?.startsWith(name)"
        " && app.graph._nodes.some(node => node.type === 'StoryPrompt')",
        arg=name,
    )


def open_template(page, name: str) -> None:
    """Load a workflow as the template browser does, without its clicks: fetch it from the server
    and give it to the app.

    Now and then frontend 1.32.9 draws no node at all in Nodes 2.0, ComfyUI's own neither: then once
    more, as a person would.
    """
    for tries_left in (2, 1, 0):
        page.evaluate(
            """async ([folder, name]) => {
                const answer = await fetch(`/api/workflow_templates/${folder}/${name}.json`);
                await app.loadGraphData(await answer.json(), true, true, name);
            }""",
            [FOLDER, name],
        )
        page.wait_for_function("app.graph._nodes.length > 0")
        try:
            page.wait_for_function(
                "!LiteGraph.vueNodesMode || document.querySelector('[data-node-id]')",
                timeout=10_000,
            )
            return
        except PageTimeout:
            if not tries_left:
                raise


def look_at(page, node_type: str, scale: float = 0.9) -> None:
    """Move the canvas until a node of that type, in the graph that is open, is in the upper left of
    the window.

    It has to stay there: the newest page brings back where one last looked, a moment after a
    workflow has opened.
    """
    page.evaluate(
        """async ([type, scale]) => {
        const view = app.canvas.ds;
        const node = app.canvas.graph._nodes.find(node => node.type === type);
        const isThere = () => view.scale === scale
            && [0, 1].every(axis => Math.abs(view.offset[axis] + node.pos[axis] - 150) < 0.01);
        for (let tries = 0; tries < 10; tries++) {
            view.scale = scale;
            view.offset = [150 - node.pos[0], 150 - node.pos[1]];
            app.canvas.setDirty(true, true);
            await new Promise(done => setTimeout(done, 500));
            if (isThere()) return;
        }
        throw new Error(`the canvas does not stay where ${type} is`);
    }""",
        [node_type, scale],
    )


def widget(page, node_type: str, name: str):
    """The value of a node's widget."""
    return page.evaluate(
        "([type, name]) => app.graph._nodes.find(n => n.type === type).widgets.find(w => w.name ==="
        " name).value",
        [node_type, name],
    )


def set_widget(page, node_type: str, name: str, value) -> None:
    """Put a value into a node's own widget, as typing there does."""
    page.evaluate(
        "([type, name, value]) => { const w = app.graph._nodes.find(n => n.type ==="
        " type).widgets.find(w => w.name === name); w.value = value; w.callback?.(value); }",
        [node_type, name, value],
    )


def queue(page, steps: int | None = None) -> None:
    """The page's own Run command; waits for the end and raises what the page was told went wrong.
    `steps` of KSampler, else unchanged.
    """
    if steps is not None:
        set_widget(page, "KSampler", "steps", steps)
    page.evaluate("""() => {
        window.storyDone = false;
        const once = {once: true};
        app.api.addEventListener('execution_success', () => { window.storyDone = true; }, once);
        app.api.addEventListener('execution_error', event => {
            window.storyDone = JSON.stringify(event.detail);
        }, once);
        app.queuePrompt(0, 1);
    }""")
    page.wait_for_function("window.storyDone", timeout=120_000)
    assert page.evaluate("window.storyDone") is True
