"""`bench/run -m lab train|export|judge|quality|evidence|gallery|distributed ..`: ComfyUI in this
process, then that part of the workshop.
"""

import os
import runpy
import sys

import torch

from bench import inprocess

inprocess.start(cpu=not torch.cuda.is_available())
torch.set_num_threads(
    int(os.environ.get("THREADS", os.cpu_count()))
)  # fewer where other work shares the cores
part = sys.argv.pop(1)
runpy.run_module(f"lab.{part}", run_name="__main__", alter_sys=True)
