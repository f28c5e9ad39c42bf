"""The blueprint *One Prompt, One Story*: one node that is the whole method, from the search to a
saved workflow.
"""

from bench.page import look_at, open_template, queue

NAME = "One Prompt, One Story"
HOST = "app.graph._nodes.find(node => node.subgraph)"
INSIDE = [
    "CLIPTextEncode",
    "IPCAPatch",
    "KSampler",
    "PrimitiveInt",
    "PrimitiveInt",
    "PrimitiveStringMultiline",
    "PrimitiveStringMultiline",
    "SVRReweight",
    "StoryBatch",
    "StoryPrompt",
    "StorySheet",
    "VAEDecode",
]
WIDGETS = ["identity", "frames", "negative", "width", "height", "seed", "steps", "cfg"]
# How a story runs on the model that comes with the pack: what an artist connects by hand.
CONNECT = """() => {
    const host = app.graph._nodes.find(node => node.subgraph);
    const add = (type, x, y) => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        node.pos = [x, y];
        return node;
    };
    const model = add("StoryDemoModel", host.pos[0] - 400, host.pos[1]);
    for (const slot of [0, 1, 2]) model.connect(slot, host, slot);
    const save = add("SaveImage", host.pos[0] + 500, host.pos[1]);
    save.widgets[0].value = "story/blueprint";
    host.connect(2, save, 0);
}"""


def set_widgets(page, **values) -> None:
    """As typing into the node's own widgets does."""
    page.evaluate(
        f"values => {{ for (const widget of {HOST}.widgets) if (widget.name in values)"
        " { widget.value = values[widget.name]; widget.callback?.(widget.value); } }",
        values,
    )


def prompt_of(page) -> dict:
    """By class: the inputs that the page sends, with the values of primitive nodes filled in."""
    prompt = page.evaluate("app.graphToPrompt().then(result => result.output)")
    values = {
        node: item["inputs"]["value"]
        for node, item in prompt.items()
        if item["class_type"].startswith("Primitive")
    }

    def filled(value):
        return values.get(value[0], value) if isinstance(value, list) else value

    return {
        item["class_type"]: {name: filled(value) for name, value in item["inputs"].items()}
        for node, item in prompt.items()
        if node not in values
    }


def test_it_is_found_by_its_name_dragged_in_opened_and_run(page, blueprints):
    page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    page.wait_for_function("app.graph._nodes.length === 0")
    page.evaluate("app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.wait_for_function("document.activeElement?.tagName === 'INPUT'")
    page.keyboard.type("one prompt")
    page.get_by_text(", One Story").first.wait_for()
    page.wait_for_timeout(500)  # the list follows what was typed
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement?.tagName !== 'INPUT'")
    page.mouse.move(600, 300)
    page.mouse.click(600, 300)  # the newest page lets it hang on the pointer until a click
    page.wait_for_function(f"{HOST}?.widgets?.length === {len(WIDGETS)}")
    title, names = page.evaluate(f"[{HOST}.title, {HOST}.widgets.map(widget => widget.name)]")
    assert title == NAME and names == WIDGETS

    set_widgets(page, width=64, height=64, steps=1, frames="playing in the snow\nat the beach")
    page.evaluate(CONNECT)
    queue(page)
    sent = prompt_of(page)
    assert set(sent) == {
        *(node for node in INSIDE if not node.startswith("Primitive")),
        *("SaveImage", "StoryDemoModel"),
    }
    assert sent["StoryPrompt"]["frames"] == "playing in the snow\nat the beach"
    assert (sent["StoryBatch"]["width"], sent["KSampler"]["steps"]) == (64, 1)

    page.evaluate(f"app.canvas.openSubgraph({HOST}.subgraph, {HOST})")
    page.wait_for_function("app.canvas.graph !== app.graph")
    look_at(page, "IPCAPatch", scale=0.7)
    assert page.evaluate("app.canvas.graph._nodes.map(node => node.type).sort()") == INSIDE
    page.wait_for_function("document.querySelectorAll('.opos-u button').length === 5")
    page.evaluate("app.canvas.setGraph(app.graph.rootGraph ?? app.graph)")


def test_a_workflow_keeps_it_with_its_values(page):
    open_template(page, "first-story-simple")
    set_widgets(page, identity="A photo of a blue cat", negative="a hat", seed=7, cfg=3.5)
    before = prompt_of(page)
    assert before["StoryPrompt"]["identity"] == "A photo of a blue cat"
    assert before["CLIPTextEncode"]["text"] == "a hat"
    assert (before["KSampler"]["seed"], before["KSampler"]["cfg"]) == (7, 3.5)
    saved = page.evaluate("app.graphToPrompt().then(result => JSON.stringify(result.workflow))")
    open_template(page, "first-story-simple")
    assert prompt_of(page) != before, "opened anew, it has its own values"
    page.evaluate("workflow => app.loadGraphData(JSON.parse(workflow))", saved)
    page.wait_for_function(f"{HOST}?.widgets?.length === {len(WIDGETS)}")
    assert prompt_of(page) == before
