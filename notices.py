"""A short text on a node in the page, as ComfyUI's own nodes report their progress."""

import sys


def show_on_node(node_id: str | None, text: str) -> None:
    """Show `text` on the node with this id. Without a running server, or an id, there is nobody to show it to."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None and node_id is not None:
        server.send_progress_text(text, node_id)
