"""`bench/run -m lab distributed`: one story on one process and over three of ComfyUI-Distributed,
wall time and pictures.

Three processes on one machine share its cores and memory: this shows what spreading a story costs,
not what three machines gain.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.cluster import Cluster, engine_path
from bench.workflow import load, saved_pixels, to_api, with_collector, with_inputs

FRAMES, STEPS, RUNS = 40, 8, 3


def main() -> None:
    if engine_path() is None:
        print("distributed: left out: DISTRIBUTED_PATH names no checkout of ComfyUI-Distributed")
        return
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder), workers=2) as cluster:
        prompt = to_api(load("distributed-story"), cluster.client.info)
        lines = "\n".join(f"playing in the snow {number}" for number in range(1, FRAMES + 1))
        prompt = with_inputs(prompt, "StoryPrompt", frames=lines)
        prompt = with_inputs(prompt, "KSampler", steps=STEPS)
        spread = with_collector(prompt)
        # one frame on each: the model is loaded now
        cluster.run(with_inputs(spread, "StoryBatch", select="1"))
        ways, took, pictures = [(prompt, cluster.client.run), (spread, cluster.run)], [], []
        for graph, run in ways * RUNS:
            cluster.forget()
            start = time.perf_counter()
            outputs = run(graph)
            took.append(time.perf_counter() - start)
            pictures.append(saved_pixels(graph, outputs))
    one, three = np.median(took[::2]), np.median(took[1::2])
    alone, together = pictures[-2:]
    largest = max(int(np.abs(a - b).max()) for a, b in zip(alone, together, strict=True))
    print(
        f"\n{os.cpu_count()} cores, one thread a process; {FRAMES} frames, {STEPS} steps at"
        f" 256x256, demo model; median of {RUNS} runs\n\n"
        "| on | wall time | frames | largest 8-bit difference |\n| --- | --- | --- | --- |\n"
        f"| one process | {one:.1f} s | {len(alone)} | |\n"
        f"| three processes | {three:.1f} s | {len(together)} | {largest} |"
    )


if __name__ == "__main__":
    main()
