"""`make bench`: what the pack costs, measured side by side in one run, on a CPU or on CUDA."""

import os
import re

import torch
from torch.utils import collect_env

from bench import inprocess

from . import cost, joint
from .timing import CUDA, PAIRS, number_format


def main() -> None:
    inprocess.load_pack()
    from nodes import NODE_CLASS_MAPPINGS

    rows = [*cost.rows(NODE_CLASS_MAPPINGS), *joint.rows(NODE_CLASS_MAPPINGS)]
    machine = torch.cuda.get_device_name() if CUDA else f"{cpu_name()}, {os.cpu_count()} cores"
    print(
        f"\n{machine}; PyTorch {torch.__version__}, {str(number_format()).removeprefix('torch.')}; "
        f"SDXL UNet at 1/{cost.SCALE} width; median of {PAIRS} pairs or more\n\n"
        "| | what | ratio or count | measured | target |\n| --- | --- | --- | --- | --- |"
    )
    for letter, row in zip("abcdefg", rows, strict=True):
        print(f"| {' | '.join((letter, *row))} |")


def cpu_name() -> str:
    """The line of `lscpu` that has it, and all that other systems report."""
    said = collect_env.get_cpu_info(collect_env.run) or ""
    named = re.search("Model name: *(.+)", said)
    return named[1] if named else " ".join(said.split())


if __name__ == "__main__":
    main()
