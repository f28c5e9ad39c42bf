"""The frame editor: typed and clicked as a person does."""

import json

from bench.page import look_at, open_template, set_widget, widget
from bench.story_editor import ROWS, budget, frames, on_two_pages, row


@on_two_pages
def test_the_editor_shows_the_frames_numbered_with_their_tokens(editor):
    assert [
        editor.locator(f"{ROWS} input[type=text]").nth(index).input_value() for index in range(4)
    ] == frames(editor)
    assert editor.locator(".opos-number").all_inner_texts() == ["1", "2", "3", "4"]
    assert editor.locator(".opos-tokens").nth(1).inner_text() == "4", (
        "playing in the snow is four tokens"
    )
    assert "4 frames share a prompt" in budget(editor) and "of 75 CLIP tokens" in budget(editor)


def test_frames_are_switched_off_moved_doubled_added_and_removed(editor):
    one, two, three, four = frames(editor)
    row(editor, 2).locator("input[type=checkbox]").click()
    assert frames(editor) == [one, f"# {two}", three, four]
    assert editor.locator(".opos-number").all_inner_texts() == ["1", "–", "2", "3"]
    row(editor, 2).locator("input[type=checkbox]").click()
    row(editor, 1).locator("button[title^='move down']").click()
    assert frames(editor) == [two, one, three, four]
    row(editor, 4).locator("button[title=duplicate]").click()
    assert frames(editor) == [two, one, three, four, four]
    row(editor, 1).locator("button[title=remove]").click()
    assert frames(editor) == [one, three, four, four]
    editor.locator(".opos-add").click()
    editor.keyboard.type("at sea")
    assert frames(editor) == [one, three, four, four, "at sea"]
    editor.keyboard.press("Alt+ArrowUp")
    assert frames(editor) == [one, three, four, "at sea", four]


@on_two_pages
def test_a_pasted_script_becomes_frames(editor):
    editor.evaluate("""() => {
        const input = document.querySelector('.opos-frames li input[type=text]');
        const data = new DataTransfer();
        data.setData('text', 'in the snow\\r\\n\\n# at sea\\nat the beach');
        input.select();
        const options = {clipboardData: data, bubbles: true, cancelable: true};
        input.dispatchEvent(new ClipboardEvent('paste', options));
    }""")
    assert (
        frames(editor)[:3] == ["in the snow", "# at sea", "at the beach"]
        and len(frames(editor)) == 6
    )


@on_two_pages
def test_a_saved_workflow_carries_plain_text_alone_and_opens_again(editor):
    row(editor, 2).locator("input[type=checkbox]").click()
    changed = frames(editor)
    saved = editor.evaluate("app.graph.serialize()")
    (values,) = [node["widgets_values"] for node in saved["nodes"] if node["type"] == "StoryPrompt"]
    assert values == ["A photo of a red fox with a green coat", "\n".join(changed), 10]
    prompt = editor.evaluate(
        "app.graphToPrompt().then(result => Object.values(result.output).find(n => n.class_type ==="
        " 'StoryPrompt').inputs)"
    )
    assert prompt == {"identity": values[0], "frames": values[1], "window_length": 10}
    open_template(editor, "sd15-story")
    editor.evaluate("workflow => app.loadGraphData(workflow)", saved)
    editor.wait_for_function("document.querySelectorAll('.opos-off').length === 1")
    assert frames(editor) == changed


def test_a_text_from_another_node_is_left_to_the_run(editor):
    editor.evaluate("""() => {
        const text = LiteGraph.createNode('PrimitiveStringMultiline');
        app.graph.add(text);
        const story = app.graph._nodes.find(n => n.type === 'StoryPrompt');
        text.connect(0, story, story.inputs.findIndex(input => input.name === 'frames'));
    }""")
    editor.wait_for_function(
        "/frames comes from another node/.test(document.querySelector('.opos-budget').innerText)"
    )
    assert not editor.locator(ROWS).first.is_visible()


@on_two_pages
def test_lines_end_where_the_story_ends_them(editor):
    """Text from a word processor, with line ends that Python knows and a text box shows as
    spaces.
    """
    set_widget(editor, "StoryPrompt", "frames", "in the snow\u2028at sea\nin bed\x0bat home")
    assert editor.locator(".opos-number").all_inner_texts() == ["1", "2", "3", "4"]
    asked = {
        "identity": "a fox",
        "frames": widget(editor, "StoryPrompt", "frames"),
        "window_length": 10,
    }
    _, answer = editor.client.post("/one-prompt-one-story/tokens", json.dumps(asked).encode())
    assert len(answer["frames"]) == 4


def test_inside_a_subgraph_the_editor_works_as_outside(editor):
    editor.evaluate("""() => {
        const story = app.graph._nodes.find(node => node.type === 'StoryPrompt');
        const made = app.canvas.graph.convertToSubgraph(new Set([story]));
        app.canvas.openSubgraph(made.subgraph, made.node);
    }""")
    editor.wait_for_function("app.canvas.graph._nodes.length === 1")
    look_at(editor, "StoryPrompt")
    editor.wait_for_function(
        "/4 frames share a prompt/.test(document.querySelector('.opos-budget')?.innerText ?? '')"
    )
    row(editor, 1).locator("input[type=text]").fill("at sea")
    prompt = editor.evaluate(
        "app.graphToPrompt().then(result => Object.values(result.output).find(n => n.class_type ==="
        " 'StoryPrompt').inputs)"
    )
    assert prompt["frames"].split("\n")[0] == "at sea"
