"""The bundled workflows as an artist meets them: in the real page, in a real browser."""

import json

import pytest

from bench.page import FOLDER, click_template, open_template, queue, wait_for_app, widget
from bench.workflow import load, names, to_api


def test_a_template_is_opened_by_hand_and_survives_a_reload(page):
    click_template(page, "first-story")
    assert sorted(page.evaluate("app.graph._nodes.map(node => node.type)")) == sorted(node["type"] for node in load("first-story")["nodes"])
    page.wait_for_selector(".opos-frames li")
    field = page.locator(".opos-frames li input[type=text]").nth(1)
    field.fill("sailing at sea")
    page.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState()")  # the page does so after a pause
    page.wait_for_timeout(1500)  # and keeps the draft a moment later
    page.reload()
    wait_for_app(page)
    page.wait_for_function("app.graph._nodes.some(node => node.type === 'StoryPrompt')")
    assert widget(page, "StoryPrompt", "frames").split("\n")[1] == "sailing at sea"
    assert page.locator(".opos-frames li input[type=text]").nth(1).input_value() == "sailing at sea"


@pytest.mark.parametrize("name", names())
def test_a_workflow_opens_as_it_was_saved(page, name):
    click_template(page, name)
    page.wait_for_function("count => app.graph._nodes.length === count", arg=len(load(name)["nodes"]))
    nodes = page.evaluate(
        "app.graph._nodes.map(node => ({type: node.type, known: node.type in LiteGraph.registered_node_types,"
        " box: Array.from(node.getBounding())}))"
    )
    assert all(node["known"] for node in nodes), "missing nodes"
    for index, node in enumerate(nodes):
        for other in nodes[:index]:
            assert not overlap(node["box"], other["box"]), f"{node['type']} lies on {other['type']}"
    assert not [text for text in page.said if f"extensions/{FOLDER}" in text]


def overlap(a: list, b: list) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("name", names())
def test_the_page_makes_the_same_prompt_as_we_do(page, client, name):
    open_template(page, name)
    from_page = page.evaluate("app.graphToPrompt().then(result => result.output)")
    info = client.get("/object_info")
    ours = to_api(load(name), info)
    for item in from_page.values():  # what the page adds for itself, as Preview Any's text, the server does not know
        known = info[item["class_type"]]["input"]
        item["inputs"] = {key: value for key, value in item["inputs"].items() if any(key in part for part in known.values())}
    assert {node: (item["class_type"], item["inputs"]) for node, item in from_page.items()} == {
        node: (item["class_type"], item["inputs"]) for node, item in json.loads(json.dumps(ours)).items()
    }


def test_the_first_story_runs_from_the_page_and_its_storyboard_appears(page):
    open_template(page, "first-story")
    page.evaluate("() => { app.canvas.ds.scale = 0.55; app.canvas.setDirty(true, true); }")  # pictures outside the window are not loaded
    queue(page)
    shown = "prefix => (app.graph._nodes.find(n => n.type === 'SaveImage' && n.widgets[0].value === prefix).imgs ?? []).length"
    for prefix, count in (("story/frame", 4), ("story/storyboard", 1)):
        if page.evaluate("Boolean(LiteGraph.vueNodesMode)"):
            page.wait_for_function(
                "prefix => [...document.querySelectorAll('.lg-node img')]"
                ".some(i => i.src.includes('filename=' + prefix.split('/')[1]) && i.naturalWidth)",
                arg=prefix,
                timeout=30_000,
            )
        else:
            page.wait_for_function(f"([prefix, count]) => ({shown})(prefix) === count", arg=[prefix, count], timeout=30_000)


def test_every_node_has_its_help_and_tooltips_in_the_page(page):
    for node in ("StoryPrompt", "SVRReweight", "IPCAPatch", "StoryBatch", "StorySheet", "StoryScore", "StoryDemoModel"):
        description, category = page.evaluate(
            "type => { const data = LiteGraph.registered_node_types[type].nodeData; return [data.description, data.category]; }", node
        )
        assert description and category == "story"
