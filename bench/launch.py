"""Starts the real ComfyUI server on this pack: `launch.py [ComfyUI's own options]`.

Base folder: .bench/base, or that of a `--base-directory` among the options. Of the custom nodes
there, NODES alone are loaded.
"""

import os
import runpy
import sys
from pathlib import Path

import torch

from bench.torchvision_fix import make_torchvision_importable

ROOT = Path(__file__).resolve().parents[1]
NODES = ["one-prompt-one-story", "toy-models", "ComfyUI-Distributed"]


def comfyui_arguments(extra: list[str]) -> list[str]:
    base = ROOT / ".bench" / "base"
    device = [] if torch.cuda.is_available() else ["--cpu", "--use-pytorch-cross-attention"]
    return [
        "main.py",
        *device,
        "--base-directory",
        str(base),
        "--disable-all-custom-nodes",
        "--whitelist-custom-nodes",
        *NODES,
        "--disable-api-nodes",
        "--database-url",
        "sqlite:///:memory:",
        *extra,
    ]


if __name__ == "__main__":
    make_torchvision_importable()
    comfyui = os.environ["COMFYUI_PATH"]
    sys.argv = comfyui_arguments(sys.argv[1:])
    sys.path[0] = comfyui
    os.chdir(comfyui)
    runpy.run_path(os.path.join(comfyui, "main.py"), run_name="__main__")
