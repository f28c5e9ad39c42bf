"""The running server, if there is one, and short texts on the nodes of its page."""

import sys
from typing import Any


def running_server() -> Any:
    """ComfyUI's server. None where its parts are used without one, as in scripts and tests."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def show_on_node(node_id: str | None, text: str) -> None:
    """Show `text` on the node with this id, as ComfyUI's own nodes report progress. Without a
    server or an id, nothing.
    """
    server = running_server()
    if server is not None and node_id is not None:
        server.send_progress_text(text, node_id)
