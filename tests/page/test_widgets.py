"""The frame editor with its token budget and cast, and the strip of frames: typed and clicked as a
person does.
"""

import json

import pytest

from bench.page import TWO_PAGES, look_at, open_template, queue, set_setting, set_widget, widget

ROWS = ".opos-frames li"
# For what the editor makes of a text and of a run. How it is clicked is tested on all four.
on_two_pages = pytest.mark.parametrize("page", TWO_PAGES, indirect=True)


@pytest.fixture
def editor(page):
    open_template(page, "first-story")
    look_at(page, "StoryPrompt")
    page.wait_for_selector(".opos-editor .opos-meter")
    return page


def frames(page) -> list[str]:
    return widget(page, "StoryPrompt", "frames").split("\n")


def budget(page) -> str:
    return page.inner_text(".opos-budget")


def row(page, number: int):
    return page.locator(ROWS).nth(number - 1)


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


@on_two_pages
def test_typing_changes_text_and_budget(editor):
    before = budget(editor)
    row(editor, 2).locator("input[type=text]").fill("playing in the deep cold snow")
    assert frames(editor)[1] == "playing in the deep cold snow"
    editor.wait_for_function(
        "before => document.querySelector('.opos-budget').innerText !== before", arg=before
    )
    assert editor.locator(".opos-tokens").nth(1).inner_text() == "6"


@on_two_pages
def test_a_frame_that_cannot_fit_is_marked_and_the_window_shrinks(editor):
    row(editor, 3).locator("input[type=text]").fill("snow " * 70)
    editor.wait_for_selector(f"{ROWS}.opos-over")
    assert editor.locator(f"{ROWS}.opos-over .opos-number").all_inner_texts() == ["3"]
    assert "frame 3 does not fit" in budget(editor)
    row(editor, 3).locator("input[type=text]").fill("snow " * 50)
    editor.wait_for_function(
        "!document.querySelector('.opos-over') && /window is 3 of"
        " 4/.test(document.querySelector('.opos-budget').innerText)"
    )


def wait_for_budget(page, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('.opos-budget')?.innerText.includes(text)", arg=text
    )


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_the_bar_counts_tokens_only_where_clip_reads_the_story(page):
    open_template(page, "sdxl-story")
    wait_for_budget(page, "of 75 CLIP tokens")
    open_template(page, "qwen-image-story")
    wait_for_budget(page, "no token limit")
    assert not page.locator(".opos-meter").count()
    assert not "".join(page.locator(".opos-tokens").all_inner_texts()).strip()
    page.evaluate(
        "app.graph._nodes.find(n => n.type === 'CLIPLoader').widgets.find(w => w.name === 'type')"
        ".value = 'stable_diffusion'"
    )
    page.dispatch_event(".opos-editor", "pointerenter")
    wait_for_budget(page, "of 75 CLIP tokens")


@pytest.mark.parametrize("page", TWO_PAGES, indirect=True)
def test_a_run_says_whether_there_is_a_limit_of_tokens(page):
    """The loader, of another pack, does not say what it loads."""
    open_template(page, "first-story")
    wait_for_budget(page, "of 75 CLIP tokens")
    page.evaluate("""() => {
        const graph = app.graph;
        const svr = graph._nodes.find(node => node.type === 'SVRReweight');
        const loader = LiteGraph.createNode('ToyTextEncoder');
        graph.add(loader);
        loader.widgets.find(widget => widget.name === 'kind').value = 'qwen-image';
        loader.connect(0, svr, svr.inputs.findIndex(input => input.name === 'clip'));
        const show = LiteGraph.createNode('PreviewAny');
        graph.add(show);
        svr.connect(0, show, 0);
        graph._nodes.filter(node => node.type === 'SaveImage').forEach(node => graph.remove(node));
    }""")
    assert "of 75 CLIP tokens" in budget(page)
    queue(page)
    wait_for_budget(page, "frames share a prompt: no token limit")


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
def test_without_the_route_the_budget_is_silent(editor):
    editor.route(
        "**/one-prompt-one-story/tokens", lambda route: route.fulfill(status=404, body="no")
    )
    row(editor, 1).locator("input[type=text]").fill("in the sun")
    editor.wait_for_function("document.querySelector('.opos-budget').innerText.trim() === ''")
    assert frames(editor)[0] == "in the sun"
    editor.unroute("**/one-prompt-one-story/tokens")


@pytest.fixture
def cast(editor):
    """The first story with two characters, typed by hand."""
    set_widget(
        editor,
        "StoryPrompt",
        "identity",
        "A picture of\n@fox: a red fox with a green coat\n@Old_Cat: a white cat with a blue coat",
    )
    set_widget(
        editor,
        "StoryPrompt",
        "frames",
        "@fox in the snow\n@old_cat and @fox at the beach\nin the forest\nthe village @nobody",
    )
    editor.wait_for_selector(".opos-cast")
    return editor


def chips(page, number: int) -> dict:
    """Who is in a frame, by the chips on its row."""
    return {
        chip.inner_text(): chip.get_attribute("aria-pressed") == "true"
        for chip in row(page, number).locator(".opos-cast button").all()
    }


def toggle(page, number: int, name: str) -> str:
    """Click a chip; the frame's text afterwards."""
    row(page, number).locator(".opos-cast button", has_text=name).click()
    return frames(page)[number - 1]


@on_two_pages
def test_chips_show_the_cast_of_every_frame_and_a_click_writes_the_text(cast):
    assert [chips(cast, number) for number in (1, 2, 3, 4)] == [
        {"@fox": True, "@Old_Cat": False},
        {"@fox": True, "@Old_Cat": True},
        {"@fox": True, "@Old_Cat": True},
        {"@fox": False, "@Old_Cat": False},
    ]
    assert toggle(cast, 1, "@Old_Cat") == "@Old_Cat, @fox in the snow"
    assert toggle(cast, 1, "@Old_Cat") == "@fox in the snow"
    assert toggle(cast, 1, "@fox") == "in the snow @nobody" and chips(cast, 1) == {
        "@fox": False,
        "@Old_Cat": False,
    }
    assert toggle(cast, 2, "@Old_Cat") == "@fox at the beach"
    assert toggle(cast, 3, "@fox") == "@Old_Cat in the forest"
    assert toggle(cast, 4, "@fox") == "@fox the village" and chips(cast, 4) == {
        "@fox": True,
        "@Old_Cat": False,
    }
    row(cast, 4).locator("input[type=text]").fill("the old cat in the village, not me@fox @nobody")
    assert toggle(cast, 4, "@Old_Cat") == "the @old_cat in the village, not me@fox"


@on_two_pages
def test_the_budget_counts_the_whole_cast_and_says_what_is_wrong_with_it(cast):
    cast.wait_for_function("/identity 17/.test(document.querySelector('.opos-budget').innerText)")
    assert cast.locator(".opos-tokens").nth(3).inner_text() == "2", (
        "the village: the mention of nobody is no word"
    )
    row(cast, 1).locator("input[type=text]").fill("@dog in the snow")
    cast.wait_for_function(
        "/frames: line 1: @dog is"
        " unknown/.test(document.querySelector('.opos-budget.opos-problem')?.innerText)"
    )
    row(cast, 1).locator("input[type=text]").fill("@fox in the snow")
    cast.wait_for_function("!document.querySelector('.opos-problem')")


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


def test_every_chip_of_a_large_cast_can_be_clicked(cast):
    names = [f"a_character_with_a_long_name_{number}" for number in range(5)]
    set_widget(cast, "StoryPrompt", "identity", "\n".join(f"@{name}: a fox" for name in names))
    set_widget(cast, "StoryPrompt", "frames", "in the snow @nobody")
    assert toggle(cast, 1, names[-1]) == f"@{names[-1]} in the snow"


@on_two_pages
def test_what_the_page_wrote_runs(cast):
    """A story of two characters, a frame switched off, a block switched off."""
    row(cast, 3).locator("input[type=checkbox]").click()
    look_at(cast, "IPCAPatch")
    cast.locator(".opos-u button").nth(0).click()
    queue(cast, steps=2)
    prompt = cast.evaluate("app.graphToPrompt().then(result => result.output)")
    (story,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "StoryPrompt")
    assert story["frames"].split("\n")[1:3] == ["@old_cat and @fox at the beach", "# in the forest"]
    (patch,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "IPCAPatch")
    assert patch["blocks"] == "mid, up0"


BATCH_SIZE = "Array.from(app.graph._nodes.find(node => node.type === 'StoryBatch').size)"


@pytest.fixture
def strip(editor):
    look_at(editor, "StoryBatch")
    editor.wait_for_selector(".opos-frame")
    return editor


def test_the_strip_selects_frames_and_asks_for_another_take(strip):
    tiles = strip.locator(".opos-tile")
    assert tiles.count() == 4

    def pressed():
        return [
            tile.get_attribute("aria-pressed") == "true"
            for tile in strip.locator(".opos-frame").all()
        ]

    tiles.nth(2).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "3" and pressed() == [False, False, True, False]
    tiles.nth(1).locator(".opos-frame").click()
    tiles.nth(0).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "1-3"
    tiles.nth(3).locator(".opos-frame").click()
    assert widget(strip, "StoryBatch", "select") == "" and pressed() == [True] * 4
    for typed, shown in (
        ("all of them", [False] * 4),
        ("2, 9-1", [False, True, False, False]),
        ("", [True] * 4),
    ):
        set_widget(strip, "StoryBatch", "select", typed)
        assert pressed() == shown, "what cannot be read names no frame"
    for _ in range(2):
        tiles.nth(2).locator(".opos-take").last.click()
    tiles.nth(0).locator(".opos-take").click()
    assert widget(strip, "StoryBatch", "retake") == "1:2, 3:3"
    tiles.nth(0).locator(".opos-take").first.click()
    assert widget(strip, "StoryBatch", "retake") == "3:3" and tiles.nth(2).inner_text().split() == [
        "3",
        "take",
        "3",
        "−",
        "⟳",
    ]
    values = strip.evaluate(
        "app.graph.serialize().nodes.find(node => node.type === 'StoryBatch').widgets_values"
    )
    assert values[-1] == "3:3", "nothing of the strip is saved"


@on_two_pages
def test_after_a_run_the_strip_shows_each_frames_picture(strip):
    strip.locator(".opos-frame").nth(1).click()
    queue(strip, steps=2)
    shown = (
        "numbers => [...document.querySelectorAll('.opos-frame')].map((tile, index) =>"
        " tile.querySelector('img')?.naturalWidth ? index + 1 : 0).join() === numbers"
    )
    strip.wait_for_function(shown, arg="0,2,0,0")
    strip.locator(".opos-strip .opos-bar button").click()
    queue(strip, steps=2)
    strip.wait_for_function(shown, arg="1,2,3,4")
    one, two, three, four = strip.evaluate(
        "[...document.querySelectorAll('.opos-frame img')].map(picture => picture.src)"
    )
    size = strip.evaluate(BATCH_SIZE)
    set_widget(
        strip,
        "StoryPrompt",
        "frames",
        "\n".join([*(frames(strip)[place] for place in (3, 1, 0)), "at sea", "in the city"]),
    )
    now = (
        "[...document.querySelectorAll('.opos-tile')].map(tile => tile.querySelector('img')?.src ??"
        " null)"
    )
    assert strip.evaluate(now) == [four, two, one, None, None], (
        "a picture stays with its frame's text"
    )
    assert strip.evaluate(BATCH_SIZE) == size, (
        "more frames scroll, they do not cover the node below"
    )


@pytest.fixture
def speak(page):
    """Sets the page's language; English again afterwards, which every other test reads."""
    yield lambda language: set_setting(page, "Comfy.Locale", language)
    set_setting(page, "Comfy.Locale", "en")


@on_two_pages
def test_our_words_follow_the_pages_language(page, speak):
    """The page's own setting, as it is when a workflow opens."""
    for language, add, everything in (
        ("ja", "+ フレーム", "すべて"),
        ("fr", "+ scène", "toutes"),
        ("en", "+ frame", "all"),
    ):
        speak(language)
        open_template(page, "first-story")
        for node, words, said in (
            ("StoryPrompt", ".opos-add", add),
            ("StoryBatch", ".opos-strip .opos-bar button", everything),
        ):
            look_at(page, node)
            page.wait_for_selector(words)
            assert page.locator(words).inner_text() == said


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
