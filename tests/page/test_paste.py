"""A list that is pasted into `frames`, by the clipboard and by hand: frames on the spot, and the
way back.
"""

from uuid import uuid4

import pytest

from bench.page import TWO_PAGES, look_at, open_template, queue, set_setting, widget

ANSWER = (
    "Here are the frames:\n\n1. playing in the snow\n2. foraging berries (red:1.2)\n# 3. at"
    " sea\n\nLet me know if you want more."
)
FRAMES = "playing in the snow\nforaging berries (red:1.2)\n# at sea"
BOX = """() => {
    const node = app.canvas.graph._nodes.find(n => n.type === 'StoryPrompt');
    const own = node.widgets.find(w => w.name === 'frames').element;
    if (own?.isConnected && !LiteGraph.vueNodesMode) return own;
    return [...document.querySelectorAll(`[data-node-id="${node.id}"] textarea`)].at(-1);
}"""


@pytest.fixture
def editor(editor):
    editor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return editor


def copied(page, text: str) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", text)


def paste(page, text: str, at: str = "all") -> None:
    """Put the text on the clipboard, click into the box of `frames`, choose where, and press
    Ctrl+V.
    """
    copied(page, text)
    box = page.evaluate_handle(BOX).as_element()
    if not box.is_visible():  # a busy page moves the view back late
        look_at(page, "StoryPrompt")
    box.click()
    page.keyboard.press("Control+A" if at == "all" else at)
    page.keyboard.press("Control+V")


def frames(page) -> str:
    return widget(page, "StoryPrompt", "frames")


def rows(page) -> list[str]:
    return [row.input_value() for row in page.locator(".opos-frames li input[type=text]").all()]


def note(page) -> str:
    return page.inner_text(".opos-read") if page.locator(".opos-read").is_visible() else ""


def test_a_pasted_answer_becomes_frames_and_the_browsers_undo_brings_it_back(editor):
    before = frames(editor)
    paste(editor, ANSWER)
    assert frames(editor) == FRAMES
    assert rows(editor) == ["playing in the snow", "foraging berries (red:1.2)", "at sea"]
    assert note(editor).startswith(
        "Read as a numbered list: 2 frames. Left out: Here are the frames: · Let me know"
    )
    editor.wait_for_function(
        "/2 frames share a prompt/.test(document.querySelector('.opos-budget').innerText)"
    )
    editor.keyboard.press("Control+Z")
    assert frames(editor) == ANSWER, "as it was pasted"
    editor.keyboard.press("Control+Z")
    assert frames(editor) == before


def test_the_editors_undo_brings_back_the_text_as_it_was_pasted(editor):
    paste(editor, ANSWER)
    editor.get_by_role("button", name="undo", exact=True).click()
    assert frames(editor) == ANSWER and rows(editor) == [
        "playing in the snow",
        "foraging berries (red:1.2)",
        "at sea",
    ]
    assert "undo" not in note(editor) and "numbered list: 2 frames" in note(editor), (
        "the node reads it so"
    )
    editor.locator(".opos-frames li input[type=checkbox]").nth(2).click()
    assert (
        frames(editor) == "playing in the snow\nforaging berries (red:1.2)\nat sea"
        and note(editor) == ""
    )


def test_the_graphs_undo_brings_it_back_too(editor):
    before = frames(editor)
    editor.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState()")
    paste(editor, ANSWER)
    editor.evaluate("""() => {
        document.activeElement.blur();
        app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
    }""")
    for _ in range(
        4
    ):  # the page takes both steps of a paste as one or as two, and may have kept one of its own
        editor.evaluate("app.extensionManager.command.execute('Comfy.Undo')")
        editor.wait_for_timeout(1500)
        if frames(editor) == before:
            return
    assert frames(editor) == before


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_a_list_between_frames_and_a_part_of_a_frame(editor):
    paste(editor, "one\ntwo")
    assert frames(editor) == "one\ntwo" and note(editor) == "", (
        "plain lines are left to the browser"
    )
    paste(editor, '["a", "b"]', at="Control+End")
    assert frames(editor) == "one\ntwo\na\nb"
    paste(editor, " - c", at="Control+End")
    assert frames(editor) == "one\ntwo\na\nb - c"


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_a_table_brings_its_cast_and_a_row_takes_a_list(editor):
    paste(editor, 'prompt\tcharacter\r\n"playing\nin the snow"\tfox\r\nthe fox asleep\tfox\r\n')
    assert frames(editor) == "@fox playing in the snow\nthe @fox asleep"
    copied(editor, "- at sea\n- at home")
    editor.locator(".opos-frames li input[type=text]").nth(1).click()
    editor.keyboard.press("Control+A")
    editor.keyboard.press("Control+V")
    assert frames(
        editor
    ) == "@fox playing in the snow\nat sea\nat home" and "a list with bullets: 2 frames" in note(
        editor
    )
    editor.get_by_role("button", name="undo", exact=True).click()
    assert frames(editor) == "@fox playing in the snow\n- at sea\n- at home"


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_the_identity_and_other_nodes_are_left_alone(editor):
    copied(editor, ANSWER)
    node = editor.evaluate("String(app.graph._nodes.find(n => n.type === 'StoryPrompt').id)")
    new = f'[data-node-id="{node}"] textarea'
    box = (
        editor.locator(new).first
        if editor.evaluate("Boolean(LiteGraph.vueNodesMode)")
        else editor.get_by_placeholder("identity")
    )
    box.click()
    editor.keyboard.press("Control+A")
    editor.keyboard.press("Control+V")
    assert widget(editor, "StoryPrompt", "identity") == ANSWER


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_what_is_linked_or_typed_is_read_the_same_and_the_node_says_so(editor):
    editor.evaluate(
        """text => {
            const source = LiteGraph.createNode('PrimitiveStringMultiline');
            app.graph.add(source);
            source.widgets[0].value = text;
            const story = app.graph._nodes.find(n => n.type === 'StoryPrompt');
            source.connect(0, story, story.inputs.findIndex(input => input.name === 'frames'));
        }""",
        f"{ANSWER} {uuid4()}",  # what was run before is not run again, and says nothing
    )
    queue(editor, steps=1)
    editor.wait_for_selector(".opos-read:not([hidden])")
    assert note(editor).startswith(
        "Read as a numbered list: 2 frames. Left out: Here are the frames: · Let me know if you"
        " want more."
    )
    saved = editor.evaluate(
        "app.graph.serialize().nodes.find(node => node.type === 'StoryPrompt').widgets_values"
    )
    assert len(saved) == 3 and not any("Read as" in str(value) for value in saved), (
        "nothing of the note is saved"
    )


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
@pytest.mark.parametrize(
    "language, said", [("fr", "Lu comme une liste numérotée"), ("ja", "番号付きリスト")]
)
def test_the_note_follows_the_pages_language(page, language, said):
    set_setting(page, "Comfy.Locale", language)
    try:
        open_template(page, "first-story")
        look_at(page, "StoryPrompt")
        page.wait_for_selector(".opos-editor")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        paste(page, ANSWER)
        assert said in note(page)
    finally:
        set_setting(page, "Comfy.Locale", "en")
