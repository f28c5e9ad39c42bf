"""`bench/run -m lab train|export|judge|quality|evidence|gallery|distributed ..`: ComfyUI in this
process, then that part of the workshop: a room (`evidence`), or a file of one (`train`).
"""

import os
import runpy
import sys
from pathlib import Path

import torch

from bench import inprocess

if __name__ == "__main__":
    part, here = sys.argv.pop(1), Path(__file__).parent
    found = [
        *here.glob(f"{part}/__main__.py"),
        *here.glob(f"{part}.py"),
        *here.glob(f"*/{part}.py"),
    ]
    if len(found) != 1:
        sys.exit(f"lab: there {'are several parts' if found else 'is no part'} {part}")
    inprocess.start(cpu=not torch.cuda.is_available())
    # fewer where other work shares the cores
    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    name = ".".join(("lab", *found[0].relative_to(here).with_suffix("").parts))
    runpy.run_module(name, run_name="__main__", alter_sys=True)
