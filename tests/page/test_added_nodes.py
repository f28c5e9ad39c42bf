"""Nodes that are put into an empty graph, as opposed to those of a workflow that is opened: their
parts of the page are drawn before they are in any graph.
"""

import pytest

from bench.page import look_at

PARTS = {
    "StoryPrompt": (".opos-frames li input[type=text]", 4),
    "IPCAPatch": (".opos-u button", 5),
    "StoryBatch": (".opos-strip .opos-bar button", 1),
}


@pytest.mark.parametrize("node", PARTS)
def test_the_part_of_a_new_node_is_drawn(page, node):
    selector, count = PARTS[node]
    page.evaluate("type => { app.graph.clear(); app.graph.add(LiteGraph.createNode(type)); }", node)
    look_at(page, node)
    page.wait_for_function(
        "([selector, count]) => document.querySelectorAll(selector).length === count",
        arg=[selector, count],
    )
    assert not [text for text in page.said if "OnePromptOneStory" in text]
    if node == "StoryBatch":
        assert page.locator(".opos-bar button").inner_text() == "all"
        said = page.locator(".opos-tiles").inner_text()
        assert said == "the frames are known when the story runs"
