"""A story over the real ComfyUI-Distributed: every frame, in order, or the missing ones named once
the others are saved.
"""

import io
import signal
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from bench.server import Client, PromptFailed
from bench.workflow import (
    load,
    same_pixels,
    saved,
    saved_pixels,
    to_api,
    with_collector,
    with_inputs,
)

SHEET = "story/storyboard"
ALL = [1, 2, 3, 4, 5, 6, 7]


def node_of(prompt: dict, class_type: str) -> str:
    (node,) = (node for node, item in prompt.items() if item["class_type"] == class_type)
    return node


@pytest.fixture(scope="module")
def plain(running):
    """The bundled workflow, small and quick, every frame from noise of its own so that none looks
    like another.
    """
    prompt = to_api(load("distributed-story"), running.client.info)
    prompt = with_inputs(prompt, "StoryBatch", width=128, height=128, noise="per frame")
    return with_inputs(prompt, "KSampler", steps=2)


@pytest.fixture(scope="module")
def whole(running, plain):
    """What one machine makes of it: pictures and sheet."""
    outputs = running.client.run(plain)
    pictures = saved_pixels(plain, outputs)
    assert len(pictures) == 7
    assert all(
        np.abs(picture - other).max() > 8
        for index, picture in enumerate(pictures)
        for other in pictures[:index]
    )
    return pictures, saved_pixels(plain, outputs, SHEET)


def assert_whole(prompt: dict, outputs: dict, whole) -> None:
    """All frames in order and the whole story's sheet, captions and numbers with it."""
    assert same_pixels(saved_pixels(prompt, outputs), whole[0])
    assert same_pixels(saved_pixels(prompt, outputs, SHEET), whole[1])


def assert_named(failure: PromptFailed, prompt: dict, whole, missing: str, came: list[int]) -> None:
    """The error names what is missing; the others are saved, and the sheet has their own captions
    and numbers.
    """
    assert f"Story Gather - images: {7 - len(came)} of 7 frames did not come: {missing}" in str(
        failure
    )
    assert same_pixels(
        saved_pixels(prompt, failure.outputs), [whole[0][number - 1] for number in came]
    )
    assert len(saved(prompt, failure.outputs, SHEET)) == 1


def last_run(server) -> dict:
    """The newest entry of a server's history."""
    return list(Client(server.url).get("/history").values())[-1]


def rendered(server) -> int:
    """How many pictures a worker handed in: the engine adds a Preview Image to its graph."""
    (images,) = (
        output["images"] for output in last_run(server)["outputs"].values() if "images" in output
    )
    return len(images)


@pytest.mark.parametrize("frames_per_batch", [4, 1, 0, 2])
def test_every_frame_comes_in_order_whatever_the_batches(cluster, plain, whole, frames_per_batch):
    prompt = with_collector(with_inputs(plain, "StoryBatch", frames_per_batch=frames_per_batch))
    assert_whole(prompt, cluster.run(prompt), whole)
    assert [rendered(worker) for worker in cluster.workers] == [2, 3], (
        "each machine has its own share"
    )


def test_the_collector_alone_changes_nothing(cluster, plain, whole):
    prompt = with_collector(plain)
    assert_whole(prompt, cluster.client.run(prompt), whole)


def test_a_batch_joined_again_before_the_collector(cluster, plain, whole):
    prompt = with_collector(plain)
    prompt["rebatch"] = {
        "class_type": "RebatchImages",
        "inputs": {"images": [node_of(prompt, "StorySlate"), 0], "batch_size": 4096},
    }
    prompt = with_inputs(prompt, "DistributedCollector", images=["rebatch", 0])
    assert_whole(prompt, cluster.run(prompt), whole)


def test_parts_by_hand_under_the_engine(cluster, plain, whole):
    prompt = with_collector(with_inputs(plain, "StoryBatch", part_index=["mine", 0], parts=3))
    prompt["mine"] = {"class_type": "DistributedSeed", "inputs": {"seed": 0}}
    assert_whole(prompt, cluster.run(prompt), whole)
    with pytest.raises(PromptFailed) as failure:
        cluster.run(prompt, workers=[])
    assert_named(failure.value, prompt, whole, "3-7", [1, 2])


def test_a_master_that_only_delegates(cluster, plain, whole):
    prompt = with_collector(with_inputs(plain, "StorySlate", master="only delegates"))
    assert_whole(prompt, cluster.run(prompt, delegate=True), whole)
    assert [rendered(worker) for worker in cluster.workers] == [3, 4]


def test_a_master_that_delegates_and_does_not_say_so(cluster, plain, whole):
    prompt = with_collector(plain)
    with pytest.raises(
        PromptFailed,
        match="if the master only delegates, set master of Story Slate to only delegates",
    ) as failure:
        cluster.run(prompt, delegate=True)
    assert_named(failure.value, prompt, whole, "1-2", [3, 4, 5, 6, 7])


def test_a_master_that_renders_though_it_should_not(cluster, plain, whole):
    prompt = with_collector(with_inputs(plain, "StorySlate", master="only delegates"))
    assert_whole(prompt, cluster.run(prompt), whole)


@pytest.mark.parametrize("workers", [[], ["worker-2"], ["worker-1", "nobody"], ["nobody"]])
def test_whoever_is_up(cluster, plain, whole, workers):
    """`nobody` is in the engine's list of workers, and nothing runs at its port."""
    prompt = with_collector(plain)
    assert_whole(prompt, cluster.run(prompt, workers=workers), whole)


@pytest.mark.parametrize("delegate", [False, True])
def test_load_balance_gives_all_to_one(cluster, plain, whole, delegate):
    prompt = with_collector(plain, load_balance=True)
    assert_whole(prompt, cluster.run(prompt, delegate=delegate), whole)


@pytest.mark.parametrize("select", ["3", "2,6", "5-7", "1,3-4,7"])
def test_fewer_frames_than_machines_and_frames_that_nobody_asked_for(cluster, plain, whole, select):
    chosen = with_inputs(plain, "StoryBatch", select=select)
    alone = cluster.client.run(chosen)
    prompt, waited = with_collector(chosen), cluster.master.log.count("Heartbeat timeout")
    outputs = cluster.run(prompt)
    assert same_pixels(saved_pixels(prompt, outputs), saved_pixels(chosen, alone))
    assert same_pixels(saved_pixels(prompt, outputs, SHEET), saved_pixels(chosen, alone, SHEET))
    assert cluster.master.log.count("Heartbeat timeout") == waited, (
        "the collector waited for a machine that had nothing to send"
    )


def test_the_same_again_is_cached_on_every_machine(cluster, plain, whole):
    prompt = with_collector(plain)
    cluster.run(prompt)
    steps = []
    outputs = cluster.run(prompt, progress=lambda node, share: steps.append(node))
    assert_whole(prompt, outputs, whole)
    sampler = node_of(prompt, "KSampler")
    assert sampler not in steps
    for worker in cluster.workers:
        cached = dict(last_run(worker)["status"]["messages"])["execution_cached"]["nodes"]
        assert sampler in cached


def at_the_first_step(action):
    """A progress callback that acts once, when the master samples its first step: the workers have
    their share by then.
    """
    done = []

    def progress(node, share):
        if not done:
            done.append(node)
            action()

    return progress


def slow(prompt: dict) -> dict:
    """The prompt with so many steps that nobody is done when the master begins, and another seed,
    so that nothing is cached.
    """
    return with_inputs(prompt, "KSampler", steps=60, seed=11)


@pytest.fixture(scope="module")
def slow_whole(running, plain):
    outputs = running.client.run(slow(plain))
    return saved_pixels(plain, outputs), saved_pixels(plain, outputs, SHEET)


def test_cancel_and_run_again(cluster, plain, slow_whole):
    prompt = with_collector(slow(plain))
    cluster.forget()
    with pytest.raises(PromptFailed, match="interrupted"):
        cluster.run(
            prompt, progress=at_the_first_step(lambda: cluster.client.post("/interrupt", b"{}"))
        )
    assert_whole(prompt, cluster.run(prompt), slow_whole)


def test_a_worker_that_stalls(cluster, plain, slow_whole):
    prompt = with_collector(with_inputs(slow(plain), "StoryBatch", frames_per_batch=3))
    cluster.forget()
    stalled = cluster.workers[0].process
    try:
        with pytest.raises(PromptFailed) as failure:
            cluster.run(
                prompt, progress=at_the_first_step(lambda: stalled.send_signal(signal.SIGSTOP))
            )
    finally:
        stalled.send_signal(signal.SIGCONT)
    assert_named(failure.value, prompt, slow_whole, "3-4", [1, 2, 5, 6, 7])
    assert_whole(prompt, cluster.run(prompt), slow_whole)


def test_a_hundred_frames_over_three_machines(cluster, plain):
    lines = "\n".join(f"playing in the snow {number}" for number in range(1, 101))
    long = with_inputs(
        with_inputs(plain, "StoryPrompt", frames=lines),
        "StoryBatch",
        width=64,
        height=64,
        frames_per_batch=25,
    )
    long = with_inputs(with_inputs(long, "KSampler", steps=1), "StorySheet", panel_width=64)
    prompt = with_collector(long)
    pictures = saved_pixels(prompt, cluster.run(prompt))
    few = with_inputs(long, "StoryBatch", select="1,34,67,100")
    assert len(pictures) == 100
    assert same_pixels(
        [pictures[index] for index in (0, 33, 66, 99)], saved_pixels(few, cluster.client.run(few))
    )


def test_a_killed_workers_frames_are_named_and_rendered_alone(cluster, plain, slow_whole):
    """The second run makes only the missing frames, takes the first run's pictures along, and has
    the whole sheet.
    """
    prompt = with_collector(slow(plain))
    cluster.forget()
    with pytest.raises(PromptFailed) as failure:
        cluster.run(prompt, progress=at_the_first_step(cluster.workers[0].process.kill))
    assert_named(failure.value, prompt, slow_whole, "3-4", [1, 2, 5, 6, 7])
    (chosen,) = (item["inputs"] for item in prompt.values() if item["class_type"] == "StoryBatch")
    chosen["select"] = "3-4"
    with_earlier(prompt, cluster, saved(prompt, failure.value.outputs))
    shares = [1.0]

    def follow(node, share):
        if prompt[node]["class_type"] == "KSampler":
            shares.append(share)

    assert_whole(prompt, cluster.run(prompt, progress=follow), slow_whole)
    begun = [now for before, now in pairwise(shares) if now <= before]
    assert len(begun) == 1, "one of the two frames is this machine's"


def with_earlier(prompt: dict, cluster, pictures: list[bytes]) -> None:
    """Connect pictures to Story Slate's `earlier`: Load Images joined by Batch Images, the files on
    every machine.
    """
    joined = None
    for number, picture in enumerate(pictures):
        name = f"earlier-{number}.png"
        for server in cluster.servers:
            (server.base / "input").mkdir(exist_ok=True)
            Image.open(io.BytesIO(picture)).save(server.base / "input" / name)
        prompt[name] = {"class_type": "LoadImage", "inputs": {"image": name}}
        if joined is not None:
            prompt[f"join-{number}"] = {
                "class_type": "ImageBatch",
                "inputs": {"image1": joined, "image2": [name, 0]},
            }
        joined = [name, 0] if joined is None else [f"join-{number}", 0]
    prompt[node_of(prompt, "StorySlate")]["inputs"]["earlier"] = joined
