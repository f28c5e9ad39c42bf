"""The real page in a real browser: the bundled workflows as an artist meets them."""

import json

import pytest
from bench.inprocess import ROOT
from bench.workflow import load, to_api

FOLDER = "one-prompt-one-story"
WORKFLOWS = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))


@pytest.fixture(scope="module")
def page(browser, server):
    page = browser.new_page(viewport={"width": 1640, "height": 900})
    page.said = []
    page.on("console", lambda message: page.said.append(f"{message.text} {message.location.get('url', '')}") if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(error.stack or str(error)))
    page.goto(server.url)
    page.wait_for_function("window.app && window.app.graph && window.app.extensionManager")
    page.wait_for_function("Object.keys(LiteGraph.registered_node_types).includes('StoryBatch')")
    yield page
    page.close()


def open_template(page, name: str) -> None:
    """Load a workflow the way the template browser does: fetch it from the server and give it to the app."""
    page.evaluate(
        """async ([folder, name]) => {
            const answer = await fetch(`/api/workflow_templates/${folder}/${name}.json`);
            await app.loadGraphData(await answer.json(), true, true, name);
        }""", [FOLDER, name])
    page.wait_for_function("app.graph._nodes.length > 0")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_opens_as_it_was_saved(page, client, name):
    open_template(page, name)
    nodes = page.evaluate("app.graph._nodes.map(node => ({type: node.type, known: node.type in LiteGraph.registered_node_types,"
                          " box: Array.from(node.getBounding()), pos: Array.from(node.pos), size: Array.from(node.size)}))")
    assert len(nodes) == len(load(name)["nodes"])
    assert all(node["known"] for node in nodes), "missing nodes"
    for index, node in enumerate(nodes):
        for other in nodes[:index]:
            assert not overlap(node["box"], other["box"]), f"{node['type']} lies on {other['type']}"
    assert not [text for text in page.said if f"extensions/{FOLDER}" in text]


def overlap(a: list, b: list) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_page_makes_the_same_prompt_as_we_do(page, client, name):
    open_template(page, name)
    from_page = page.evaluate("app.graphToPrompt().then(result => result.output)")
    ours = to_api(load(name), client.get("/object_info"))
    assert {node: (item["class_type"], item["inputs"]) for node, item in from_page.items()} == \
           {node: (item["class_type"], item["inputs"]) for node, item in json.loads(json.dumps(ours)).items()}


def test_a_story_runs_from_the_page_and_its_pictures_appear(page, tmp_path):
    """The loader is replaced in the page by the small model; the Run command is the page's own."""
    open_template(page, "sdxl-story")
    page.evaluate("""() => {
        const old = app.graph._nodes.find(node => node.type === 'CheckpointLoaderSimple');
        const toy = LiteGraph.createNode('ToyCheckpoint');
        app.graph.add(toy);
        toy.pos = [...old.pos];
        old.outputs.forEach((output, slot) => [...(output.links ?? [])].forEach(id => {
            const link = app.graph.links[id] ?? app.graph.links.get(id);
            toy.connect(slot, app.graph.getNodeById(link.target_id), link.target_slot);
        }));
        app.graph.remove(old);
        const widget = (type, name, value) => { app.graph._nodes.find(node => node.type === type).widgets.find(w => w.name === name).value = value; };
        widget('StoryBatch', 'width', 128);
        widget('StoryBatch', 'height', 128);
        widget('KSampler', 'steps', 2);
        window.storyDone = false;
        app.api.addEventListener('execution_success', () => { window.storyDone = true; });
        app.api.addEventListener('execution_error', event => { window.storyDone = JSON.stringify(event.detail); });
        app.queuePrompt(0, 1);
    }""")
    page.wait_for_function("window.storyDone", timeout=120_000)
    assert page.evaluate("window.storyDone") is True
    page.wait_for_function("(app.graph._nodes.find(node => node.type === 'SaveImage').imgs ?? []).length === 4", timeout=30_000)


def test_every_node_has_its_help_and_tooltips_in_the_page(page):
    for node in ("StoryPrompt", "SVRReweight", "IPCAPatch", "StoryBatch"):
        data = page.evaluate("type => LiteGraph.registered_node_types[type].nodeData", node)
        assert data["description"] and data["category"] == "story"
