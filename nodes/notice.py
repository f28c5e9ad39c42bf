"""A text on the node while the workflow runs, as ComfyUI shows a node's progress."""

import sys


def show_on_node(text: str, node: str | None) -> None:
    """Show `text` on the node with this id. Without a server, or on one that cannot, there is nothing to do."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if node is not None and hasattr(server, "send_progress_text"):
        server.send_progress_text(text, node)
