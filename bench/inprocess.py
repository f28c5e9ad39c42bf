"""Real ComfyUI in this process, with this pack loaded by ComfyUI's own loader."""

import os
import sys
from pathlib import Path

from bench.torchvision_fix import make_torchvision_importable
from bench.waiting import wait_for

ROOT = Path(__file__).resolve().parents[1]


def start(cpu: bool = True) -> None:
    """Make `import comfy` work. Must come before anything imports ComfyUI; later calls do
    nothing.
    """
    if "comfy.options" in sys.modules:
        return
    make_torchvision_importable()
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    arguments, sys.argv = (
        sys.argv,
        ["main.py", *(["--cpu"] if cpu else []), "--use-pytorch-cross-attention"],
    )
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.cli_args  # noqa: F401

    sys.argv = arguments


def load_pack():
    """The pack as ComfyUI loads it. Returns its package; its modules are `<package>.svr.encode` and
    so on.
    """
    start()
    import nodes

    name = str(ROOT).replace(".", "_x_")
    if name not in sys.modules:
        assert wait_for(nodes.load_custom_node(str(ROOT), module_parent="custom_nodes")), (
            "the pack did not load"
        )
    return sys.modules[name]


def load_core_extras(*names: str) -> None:
    """ComfyUI's own extra nodes, by their file's name in comfy_extras (the server loads them
    all).
    """
    import nodes

    for name in names:
        path = os.path.join(os.environ["COMFYUI_PATH"], "comfy_extras", f"nodes_{name}.py")
        assert wait_for(nodes.load_custom_node(path, module_parent="comfy_extras")), (
            f"{path} did not load"
        )
