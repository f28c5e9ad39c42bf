"""`bench/run -m lab train|export|judge|quality|evidence|gallery|distributed ..`: ComfyUI in this
process, then that part of the workshop: a room (`evidence`), or a file of one (`train`).
"""

import os
import runpy
import sys
from pathlib import Path

import torch

from bench import inprocess

HERE = Path(__file__).parent


def module_of(part: str) -> str:
    """`evidence` is a room of that name, `train` the file lab/training/train.py."""
    if (HERE / part / "__main__.py").is_file():
        return f"lab.{part}"
    found = [*HERE.glob(f"{part}.py"), *HERE.glob(f"*/{part}.py")]
    if not found:
        raise SystemExit(f"lab: there is no part {part}")
    return ".".join(("lab", *found[0].relative_to(HERE).with_suffix("").parts))


if __name__ == "__main__":
    inprocess.start(cpu=not torch.cuda.is_available())
    # fewer where other work shares the cores
    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    runpy.run_module(module_of(sys.argv.pop(1)), run_name="__main__", alter_sys=True)
