"""Long stories through the real server: memory, cost, the sheet; going on after Cancel and after a
crash; one frame again.
"""

import re
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from bench.server import Client, PromptFailed
from bench.workflow import load, same_pixels, saved_pixels, to_api, with_inputs

PICTURE_BYTES = 256 * 256 * 3 * 4  # one picture as ComfyUI holds it


def story_of(client, frames: int, steps: int = 2, **batch) -> dict:
    """The bundled long story with that many frames, a number in each."""
    prompt = to_api(load("long-story"), client.get("/object_info"))
    lines = "\n".join(f"playing in the snow {number}" for number in range(1, frames + 1))
    prompt = with_inputs(with_inputs(prompt, "StoryPrompt", frames=lines), "KSampler", steps=steps)
    return with_inputs(
        with_inputs(prompt, "StoryBatch", **batch), "StorySheet", panel_width=96, columns=0
    )


def peak_while(server, work):
    """What `work()` returns, and the most memory that the server had meanwhile, in bytes."""
    process, peak, done = psutil.Process(server.process.pid), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work(), peak
    finally:
        done.set()
        watcher.join()


@pytest.fixture(scope="module")
def runs(server, client):
    """The story of 20 and the story of 200: outputs, peak of memory, sampler steps."""
    found = {}
    client.run(story_of(client, 4, steps=3))  # the demo model is loaded now
    for frames in (20, 200):
        prompt, steps = story_of(client, frames, steps=1), []

        def run(prompt=prompt, steps=steps):
            return client.run(
                prompt, progress=lambda node, share: steps.append(prompt[node]["class_type"])
            )

        outputs, peak = peak_while(server, run)
        found[frames] = (
            saved_pixels(prompt, outputs),
            saved_pixels(prompt, outputs, "story/storyboard")[0],
            peak,
            steps.count("KSampler"),
        )
    return found


def test_every_frame_comes(runs):
    for frames, (pictures, _, _, _) in runs.items():
        assert len(pictures) == frames and all(
            picture.shape == (256, 256, 3) for picture in pictures
        )


def test_memory_grows_by_the_pictures_alone(runs):
    """ComfyUI keeps all pictures of a run until it is saved; sampling adds nothing to that, however
    long the story is.
    """
    grown = runs[200][2] - runs[20][2]
    assert grown < 4 * 180 * PICTURE_BYTES, f"{grown / 2**20:.0f} MiB for 180 frames more"


def test_cost_is_linear(runs):
    assert runs[20][3] > 0 and runs[200][3] == 10 * runs[20][3]


def test_the_sheet_has_every_panel_where_it_belongs(runs):
    """15 columns of 96 pixels: each picture, scaled down, is found in its own panel."""
    pictures, sheet, _, _ = runs[200]
    panel = 96 + 16
    assert sheet.shape[1] == 15 * panel + 16
    for index in (0, 14):
        small = np.asarray(
            Image.fromarray(pictures[index].astype(np.uint8)).resize(
                (96, 96), Image.Resampling.LANCZOS
            )
        ).astype(int)
        left = 16 + index * panel
        tops = [
            np.abs(sheet[top : top + 96, left : left + 96] - small).mean() for top in range(16, 80)
        ]
        assert min(tops) < 2


def test_cancelled_and_completed_with_select(client):
    """Saved pictures stay; the missing frames, rendered on their own, are those of the whole
    story.
    """
    whole_prompt = story_of(client, 12, steps=4)
    whole = saved_pixels(whole_prompt, client.run(whole_prompt))
    first_prompt, second_prompt = (
        story_of(client, 12, steps=4, select=select) for select in ("1-6", "7-12")
    )
    first = saved_pixels(first_prompt, client.run(first_prompt))

    def cancel(node, share):
        client.post("/interrupt", b"{}")

    with pytest.raises(PromptFailed):
        client.run(second_prompt, progress=cancel)
    second = saved_pixels(second_prompt, client.run(second_prompt))
    assert len(first) == len(second) == 6
    assert same_pixels(first + second, whole)


def part_of(client, frames: int, parts: int, part: int, steps: int = 2) -> dict:
    """The bundled workflow with Part at that number, as the page queues it."""
    workflow = load("long-story-in-parts")
    (number,) = (node for node in workflow["nodes"] if node.get("title") == "Part")
    number["widgets_values"][0] = part
    lines = "\n".join(f"playing in the snow {number}" for number in range(1, frames + 1))
    prompt = with_inputs(to_api(workflow, client.get("/object_info")), "StoryPrompt", frames=lines)
    return with_inputs(with_inputs(prompt, "StoryBatch", parts=parts), "KSampler", steps=steps)


def saved_parts(server) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for file in sorted((server.folder / "output/story").glob("part-*.png")):
        found.setdefault(int(re.match(r"part-(\d+)-frame", file.name)[1]), []).append(file)
    return found


def test_killed_in_the_middle_and_completed(client, fresh_server, tmp_path):
    whole_prompt = story_of(client, 40, 2)
    whole = saved_pixels(whole_prompt, client.run(whole_prompt))
    with fresh_server(tmp_path / "first") as server:
        killed = Client(server.url)

        def kill(node, share):
            server.process.kill()

        for part in range(3):
            killed.run(part_of(killed, 40, 10, part))
        with pytest.raises(Exception):  # noqa: B017  whatever a connection says that breaks off
            killed.run(part_of(killed, 40, 10, 3), progress=kill)
        before = saved_parts(server)
        assert sorted(before) == [0, 1, 2] and all(len(files) == 4 for files in before.values())
    with server:  # on the same folder
        again = Client(server.url)
        for part in sorted(set(range(10)) - set(before)):
            again.run(part_of(again, 40, 10, part))
        found = saved_parts(server)
    assert sorted(found) == list(range(10)) and all(len(files) == 4 for files in found.values()), (
        "each frame, and none twice"
    )
    pictures = [
        np.asarray(Image.open(file).convert("RGB")).astype(int)
        for part in range(10)
        for file in found[part]
    ]
    assert same_pixels(pictures, whole)


@pytest.fixture(scope="module")
def own(fresh_server, tmp_path_factory):
    """A server that no other file's tests have used."""
    with fresh_server(tmp_path_factory.mktemp("own")) as server:
        yield server


def test_parts_take_the_memory_of_one_part(own, fresh_server, tmp_path):
    """ComfyUI holds all pictures of a run until they are saved: with 200 frames all 200, in ten
    parts 20 at a time.
    """
    with fresh_server(tmp_path / "other") as other:
        grown = {parts: growth(server, parts) for server, parts in ((own, 1), (other, 10))}
    print({parts: f"{value / 2**20:.0f} MiB" for parts, value in grown.items()})
    assert grown[10] < grown[1] - 150 * PICTURE_BYTES


def growth(server, parts: int) -> int:
    """How many bytes more the server has at most while it makes 200 frames in so many parts."""
    client = Client(server.url)
    client.run(part_of(client, 20, 1, 0))  # loads the model
    start = psutil.Process(server.process.pid).memory_info().rss

    def run():
        for part in range(parts):
            client.run(part_of(client, 200, parts, part, steps=1))

    return peak_while(server, run)[1] - start


def test_one_frame_again_comes_onto_the_storyboard_of_the_others(own):
    """The sheet of a saved film's pictures and a new one is that of a whole run in which the frame
    has its fifth take.
    """
    client = Client(own.url)
    for file in (own.folder / "output/story").glob("*"):
        file.unlink()
    info = client.get("/object_info")
    first = to_api(load("first-story"), info)
    before = saved_pixels(first, client.run(first))
    client.run(to_api(load("story-film"), info))
    prompt = to_api(load("one-frame-again"), info)
    outputs = client.run(prompt)
    (new,) = saved_pixels(prompt, outputs, "story/again")
    retaken = with_inputs(first, "StoryBatch", retake="3:5")
    expected = client.run(retaken)
    after = saved_pixels(retaken, expected)
    assert same_pixels([new], after[2:3]) and same_pixels(
        before[:2] + before[3:], after[:2] + after[3:]
    )
    assert np.abs(new - before[2]).max() > 30, "another take is another picture"
    assert same_pixels(
        saved_pixels(prompt, outputs, "story/storyboard"),
        saved_pixels(retaken, expected, "story/storyboard"),
    )
