"""`bench/run -m lab distributed`: one story on one process and over three of ComfyUI-Distributed,
wall time and pictures.

Three processes on one machine share its cores and memory: this shows what spreading a story costs,
not what three machines gain.
"""

import os
import statistics
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
        prompt = story(to_api(load("distributed-story"), cluster.client.get("/object_info")))
        ways = {
            "one process": (prompt, cluster.client.run),
            "three processes": (with_collector(prompt), cluster.run),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        pictures = {}
        cluster.run(
            with_inputs(with_collector(prompt), "StoryBatch", select="1")
        )  # one frame on each: the model is loaded now
        for _ in range(RUNS):
            for name, (graph, run) in ways.items():
                cluster.forget()
                start = time.perf_counter()
                outputs = run(graph)
                took[name].append(time.perf_counter() - start)
                pictures[name] = saved_pixels(graph, outputs)
    one, three = (statistics.median(times) for times in took.values())
    alone, together = pictures.values()
    largest = max(int(np.abs(a - b).max()) for a, b in zip(alone, together, strict=True))
    print(
        f"\n{os.cpu_count()} cores, one thread a process; {FRAMES} frames, {STEPS} steps at"
        f" 256x256, demo model; median of {RUNS} runs\n"
    )
    print("| on | wall time | frames | largest 8-bit difference |\n| --- | --- | --- | --- |")
    print(
        f"| one process | {one:.1f} s | {len(alone)} | |\n| three processes | {three:.1f} s |"
        f" {len(together)} | {largest} |"
    )


def story(prompt: dict) -> dict:
    lines = "\n".join(f"playing in the snow {number}" for number in range(1, FRAMES + 1))
    return with_inputs(with_inputs(prompt, "StoryPrompt", frames=lines), "KSampler", steps=STEPS)


if __name__ == "__main__":
    main()
