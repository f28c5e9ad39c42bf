"""The bundled workflows as an artist meets them: in the real page, in a real browser."""

import json

import pytest

from bench.page import (
    FOLDER,
    TWO_PAGES,
    browse_templates,
    click_template,
    look_at,
    open_template,
    queue,
    scroll_to_template,
    wait_for_app,
    widget,
)
from bench.workflow import load, names, newer_nodes, old_workflows, to_api


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_a_template_is_opened_by_hand_and_survives_a_reload(page):
    browse_templates(page)
    for name in names():
        scroll_to_template(page, name)
    click_template(page, "first-story")
    assert sorted(page.evaluate("app.graph._nodes.map(node => node.type)")) == sorted(
        node["type"] for node in load("first-story")["nodes"]
    )
    page.wait_for_selector(".opos-frames li")
    field = page.locator(".opos-frames li input[type=text]").nth(1)
    field.fill("sailing at sea")
    page.evaluate(
        "app.extensionManager.workflow.activeWorkflow.changeTracker.checkState()"
    )  # the page does so after a pause
    page.wait_for_timeout(1500)  # and keeps the draft a moment later
    page.reload()
    wait_for_app(page)
    page.wait_for_function("app.graph._nodes.some(node => node.type === 'StoryPrompt')")
    assert widget(page, "StoryPrompt", "frames").split("\n")[1] == "sailing at sea"
    assert page.locator(".opos-frames li input[type=text]").nth(1).input_value() == "sailing at sea"


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
@pytest.mark.parametrize("name", names())
def test_a_workflow_opens_as_it_was_saved_and_makes_the_same_prompt_as_ours(page, info, name):
    if lacking := newer_nodes(name, info):
        pytest.skip(f"this ComfyUI has no {', '.join(lacking)}")
    open_template(page, name)
    page.wait_for_function(
        "count => app.graph._nodes.length === count", arg=len(load(name)["nodes"])
    )
    page.wait_for_timeout(500)  # Nodes 2.0 measures the nodes when they are drawn
    assert not page.locator(".p-toast-message-error").count(), page.locator(
        ".p-toast-message-error"
    ).all_inner_texts()
    nodes = page.evaluate(
        "app.graph._nodes.map(node => ({type: node.type, known: node.type in"
        " LiteGraph.registered_node_types, box: Array.from(node.getBounding())}))"
    )
    assert all(node["known"] for node in nodes), "missing nodes"
    assert not page.get_by_text("Node Render Error").count()
    for index, node in enumerate(nodes):
        for other in nodes[:index]:
            assert not overlap(node["box"], other["box"]), f"{node['type']} lies on {other['type']}"
    assert not [text for text in page.said if f"extensions/{FOLDER}" in text]
    assert prompt_of(page, info) == class_and_inputs(to_api(load(name), info))


def overlap(a: list, b: list) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def prompt_of(page, info: dict) -> dict:
    """The page's own prompt, less what it adds for itself and the server does not know, as Preview
    Any's text.
    """
    prompt = page.evaluate("app.graphToPrompt().then(result => result.output)")
    for item in prompt.values():
        known = {name for part in info[item["class_type"]]["input"].values() for name in part}
        item["inputs"] = {
            name: value
            for name, value in item["inputs"].items()
            if name.split(".")[0] in known  # format.codec comes with what format is set to
        }
    return class_and_inputs(prompt)


def class_and_inputs(prompt: dict) -> dict:
    return {
        node: (item["class_type"], item["inputs"])
        for node, item in json.loads(json.dumps(prompt)).items()
    }


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
@pytest.mark.parametrize("name", old_workflows())
def test_the_page_reads_an_old_workflow_as_it_was_meant(page, info, name):
    workflow = old_workflows()[name]
    page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    assert prompt_of(page, info) == class_and_inputs(to_api(workflow, info))


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_the_first_story_runs_from_the_page_and_its_storyboard_appears(page):
    open_template(page, "first-story")
    look_at(
        page, "MarkdownNote", scale=0.55
    )  # all of it: pictures outside the window are not loaded
    queue(page, steps=4)
    shown = (
        "prefix => (app.graph._nodes.find(n => n.type === 'SaveImage' && n.widgets[0].value ==="
        " prefix).imgs ?? []).length"
    )
    for prefix, count in (("story/frame", 4), ("story/storyboard", 1)):
        if page.evaluate("Boolean(LiteGraph.vueNodesMode)"):
            page.wait_for_function(
                "prefix => [...document.querySelectorAll('.lg-node img')]"
                ".some(i => i.src.includes('filename=' + prefix.split('/')[1]) && i.naturalWidth)",
                arg=prefix,
                timeout=30_000,
            )
        else:
            page.wait_for_function(
                f"([prefix, count]) => ({shown})(prefix) === count",
                arg=[prefix, count],
                timeout=30_000,
            )


def test_every_node_has_its_help_and_tooltips_in_the_page(page):
    for node in (
        "StoryPrompt",
        "SVRReweight",
        "IPCAPatch",
        "StoryBatch",
        "StorySheet",
        "StoryScore",
        "StoryDemoModel",
        "StorySlate",
        "StoryReference",
        "StoryGather",
    ):
        description, category = page.evaluate(
            "type => { const data = LiteGraph.registered_node_types[type].nodeData; return"
            " [data.description, data.category]; }",
            node,
        )
        assert description and category == "story"


def test_each_queued_run_is_the_next_part(page):
    """Three runs queued at once, as an artist does it with the number beside Run: Part counts on,
    and file names say the part.
    """
    open_template(page, "long-story-in-parts")
    queued = page.evaluate("""async () => {
        const sent = [];
        const original = app.api.queuePrompt;
        app.api.queuePrompt = async (number, prompt) => {
            sent.push(prompt.output);
            return { prompt_id: String(sent.length), number: 0, node_errors: {} };
        };
        try { await app.queuePrompt(0, 3); } finally { app.api.queuePrompt = original; }
        return sent;
    }""")
    value = {
        kind: [
            node["inputs"]
            for prompt in queued
            for node in prompt.values()
            if node["class_type"] == kind
        ]
        for kind in ("PrimitiveInt", "SaveImage", "StoryBatch")
    }
    assert [inputs["value"] for inputs in value["PrimitiveInt"]] == [0, 1, 2]
    assert [inputs["filename_prefix"] for inputs in value["SaveImage"]] == [
        f"story/part-{part}-frame" for part in range(3)
    ]
    assert all(
        isinstance(inputs["part_index"], list) and inputs["parts"] == 5
        for inputs in value["StoryBatch"]
    )
