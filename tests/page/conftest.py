"""The real page of the running server, once with classic nodes and once with Nodes 2.0."""

import pytest


@pytest.fixture(scope="module", params=["classic", "nodes 2.0"])
def page(request, browser, server):
    page = browser.new_page(viewport={"width": 1640, "height": 1000})
    page.set_default_timeout(15_000)
    page.said = []
    page.on("console", lambda message: page.said.append(f"{message.text} {message.location.get('url', '')}") if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(error.stack or str(error)))
    page.goto(server.url, timeout=60_000)
    page.wait_for_function("window.app && window.app.graph && window.app.extensionManager")
    page.wait_for_function("Object.keys(LiteGraph.registered_node_types).includes('StoryBatch')")
    page.evaluate("on => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", request.param == "nodes 2.0")
    page.wait_for_function("on => Boolean(LiteGraph.vueNodesMode) === on", arg=request.param == "nodes 2.0")
    yield page
    page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")
    page.close()
