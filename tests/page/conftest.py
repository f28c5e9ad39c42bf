"""The real page: ComfyUI's own and the newest there is, each with classic nodes and with Nodes
2.0.
"""

import pytest
from aiohttp import ClientResponseError

from bench.page import look_at, open_template, set_setting, wait_for_app
from bench.server import Client

PUBLISHED_NODES_2 = (1, 32)


def load(browser, server):
    page = browser.new_page(viewport={"width": 1640, "height": 1000})
    page.set_default_timeout(60_000)
    page.said = []
    page.on(
        "console",
        lambda message: (
            page.said.append(f"{message.text} {message.location.get('url', '')}")
            if message.type == "error"
            else None
        ),
    )
    page.on("pageerror", lambda error: page.said.append(error.stack or str(error)))
    page.goto(server.url, timeout=180_000)  # everything else may be busy
    wait_for_app(page)
    page.client = Client(server.url)
    return page


@pytest.fixture(
    scope="session",
    params=["own, classic", "own, nodes 2.0", "newest, classic", "newest, nodes 2.0"],
)
def page(request, browser):
    """One for all files: it takes seconds to start. Always started with classic nodes, which the
    server remembers: one that starts in Nodes 2.0 draws no node at all, ComfyUI's own either, of a
    workflow that is opened after a visit to a subgraph (frontend 1.32.9).
    """
    which, nodes = request.param.split(", ")
    page = load(
        browser, request.getfixturevalue("server" if which == "own" else "newest_page_server")
    )
    page.anew = nodes == "nodes 2.0"
    version = page.evaluate("window.__COMFYUI_FRONTEND_VERSION__")
    if page.anew and tuple(map(int, version.split(".")[:2])) < PUBLISHED_NODES_2:
        pytest.skip(f"in page {version} Nodes 2.0 are an experiment")
    draw_nodes(page, page.anew)
    yield page
    draw_nodes(page, anew=False)
    page.close()


# Whether a subgraph has been opened since the page started.
VISITED = """() => {
    if (window.subgraphVisited === undefined) {
        const open = app.canvas.openSubgraph;
        app.canvas.openSubgraph = function (...given) {
            window.subgraphVisited = true;
            return open.apply(this, given);
        };
        window.subgraphVisited = false;
    }
    return window.subgraphVisited;
}"""


@pytest.fixture(autouse=True)
def started_again(page):
    """After a test that visited a subgraph the page starts again: frontend 1.32.9 draws no nodes
    any more in Nodes 2.0, ComfyUI's own neither, of workflows opened after such a visit.
    """
    if page.evaluate(VISITED):
        draw_nodes(page, anew=False)
        page.reload()
        wait_for_app(page)
        draw_nodes(page, page.anew)
        page.evaluate(VISITED)
    page.mouse.move(0, 0)  # or what is under it does not see it come


def draw_nodes(page, anew: bool) -> None:
    """With Nodes 2.0, or with classic nodes."""
    set_setting(page, "Comfy.VueNodes.Enabled", anew)
    page.wait_for_function("on => Boolean(LiteGraph.vueNodesMode) === on", arg=anew)


@pytest.fixture
def editor(page):
    """The page at the frame editor of a first story of four frames."""
    open_template(page, "first-story")
    look_at(page, "StoryPrompt")
    page.wait_for_selector(".opos-editor .opos-meter")
    return page


@pytest.fixture
def blueprints(page):
    """Where ComfyUI has them."""
    try:
        return page.client.get("/global_subgraphs")
    except ClientResponseError:
        return pytest.skip("this ComfyUI has no blueprints")


@pytest.fixture
def info(page):
    """What the page's server says of its nodes."""
    return page.client.info
