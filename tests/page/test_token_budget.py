"""The token budget under the frames: it follows what is typed, and is there only where CLIP reads
the story.
"""

from bench.page import open_template, queue, set_widget
from bench.story_editor import ROWS, budget, frames, on_two_pages, row, wait_for_budget


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


@on_two_pages
def test_the_bar_counts_tokens_only_where_clip_reads_the_story(page):
    open_template(page, "sdxl-story")
    wait_for_budget(page, "of 75 CLIP tokens")
    open_template(page, "qwen-image-story")
    wait_for_budget(page, "no token limit")
    assert not page.locator(".opos-meter").count()
    assert not "".join(page.locator(".opos-tokens").all_inner_texts()).strip()
    set_widget(page, "CLIPLoader", "type", "stable_diffusion")
    set_widget(page, "CLIPLoader", "clip_name", "clip_l.safetensors")
    page.dispatch_event(".opos-editor", "pointerenter")
    wait_for_budget(page, "of 75 CLIP tokens")


@on_two_pages
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


@on_two_pages
def test_without_the_route_the_budget_is_silent(editor):
    editor.route(
        "**/one-prompt-one-story/tokens", lambda route: route.fulfill(status=404, body="no")
    )
    row(editor, 1).locator("input[type=text]").fill("in the sun")
    editor.wait_for_function("document.querySelector('.opos-budget').innerText.trim() === ''")
    assert frames(editor)[0] == "in the sun"
    editor.unroute("**/one-prompt-one-story/tokens")
