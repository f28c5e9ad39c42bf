"""One Prompt, One Story: one character over a whole series of pictures, with no training, adapter
or reference picture.
"""

from . import core

core.check()

from . import token_route  # noqa: E402
from .machines import prompt  # noqa: E402
from .nodes import NODES  # noqa: E402

NODE_CLASS_MAPPINGS = dict(NODES)
NODE_DISPLAY_NAME_MAPPINGS = {
    node_id: node.GET_SCHEMA().display_name for node_id, node in NODES.items()
}
WEB_DIRECTORY = "./web"
token_route.register()
prompt.register()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
