"""Long stories through the real server: memory, cost, the sheet; going on after Cancel and after a
crash; one frame again.
"""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from bench.server import Client, PromptFailed
from bench.workflow import load, same_pixels, saved_pixels, to_api, with_inputs

PICTURE_BYTES = 256 * 256 * 3 * 4  # one picture as ComfyUI holds it


PLACES = ["in the snow", "in a meadow", "in the forest", "at the beach", "at sea"]


def lines(frames: int) -> str:
    """Another place and another number in each frame."""
    return "\n".join(f"{PLACES[number % 5]} {number}" for number in range(1, frames + 1))


def story_of(client, frames: int, steps: int = 1, **batch) -> dict:
    """The bundled long story with that many frames."""
    prompt = with_inputs(
        to_api(load("long-story"), client.info), "StoryPrompt", frames=lines(frames)
    )
    prompt = with_inputs(prompt, "KSampler", steps=steps)
    return with_inputs(
        with_inputs(prompt, "StoryBatch", **batch), "StorySheet", panel_width=96, columns=0
    )


def bytes_of(server) -> int:
    return psutil.Process(server.process.pid).memory_info().rss


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
def server(fresh_server, tmp_path_factory):
    """A server that no other file's tests have used."""
    with fresh_server(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return Client(server.url)


@dataclass
class Run:
    pictures: list[np.ndarray]
    sheet: np.ndarray
    peak: int  # bytes that the server had at most
    grown: int  # of these, those that it did not have before
    steps: int  # of KSampler


@pytest.fixture(scope="module")
def runs(server, client):
    """The story of 20 and the story of 200."""
    found = {}
    client.run(story_of(client, 4, steps=3))  # the demo model is loaded now
    for frames in (20, 200):
        prompt, steps, before = story_of(client, frames), [], bytes_of(server)

        def run(prompt=prompt, steps=steps):
            return client.run(
                prompt, progress=lambda node, share: steps.append(prompt[node]["class_type"])
            )

        outputs, peak = peak_while(server, run)
        found[frames] = Run(
            saved_pixels(prompt, outputs),
            saved_pixels(prompt, outputs, "story/storyboard")[0],
            peak,
            peak - before,
            steps.count("KSampler"),
        )
    return found


def test_every_frame_comes(runs):
    for frames, run in runs.items():
        assert len(run.pictures) == frames
        assert all(picture.shape == (256, 256, 3) for picture in run.pictures)
        assert not any(
            same_pixels([one], [next_one]) for one, next_one in zip(run.pictures, run.pictures[1:])
        ), "or no comparison below says anything"


def test_memory_grows_by_the_pictures_alone(runs):
    """ComfyUI keeps all pictures of a run until it is saved; sampling adds nothing to that, however
    long the story is.
    """
    grown = runs[200].peak - runs[20].peak
    assert grown < 4 * 180 * PICTURE_BYTES, f"{grown / 2**20:.0f} MiB for 180 frames more"


def test_cost_is_linear(runs):
    assert runs[20].steps > 0 and runs[200].steps == 10 * runs[20].steps


def test_the_sheet_has_every_panel_where_it_belongs(runs):
    """15 columns of 96 pixels: each picture, scaled down, is found in its own panel."""
    pictures, sheet = runs[200].pictures, runs[200].sheet
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


def test_cancelled_and_completed_with_select(client, runs):
    """Saved pictures stay; the missing frames, rendered on their own, are those of the whole
    story.
    """
    first_prompt, second_prompt = (story_of(client, 20, select=some) for some in ("1-6", "7-12"))
    first = saved_pixels(first_prompt, client.run(first_prompt))

    def cancel(node, share):
        client.post("/interrupt", b"{}")

    with pytest.raises(PromptFailed):
        client.run(second_prompt, progress=cancel)
    second = saved_pixels(second_prompt, client.run(second_prompt))
    assert len(first) == len(second) == 6
    assert same_pixels(first + second, runs[20].pictures[:12])


def part_of(client, frames: int, parts: int, part: int) -> dict:
    """The bundled workflow with Part at that number, as the page queues it; one step."""
    workflow = load("long-story-in-parts")
    (number,) = (node for node in workflow["nodes"] if node.get("title") == "Part")
    number["widgets_values"][0] = part
    prompt = with_inputs(to_api(workflow, client.info), "StoryPrompt", frames=lines(frames))
    return with_inputs(with_inputs(prompt, "StoryBatch", parts=parts), "KSampler", steps=1)


def saved_parts(server) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for file in sorted((server.folder / "output/story").glob("part-*.png")):
        found.setdefault(int(re.match(r"part-(\d+)-frame", file.name)[1]), []).append(file)
    return found


@pytest.fixture(scope="module")
def restarted(fresh_server, tmp_path_factory):
    """A server that was killed in the third of five parts, on the same folder again; the parts that
    it had saved.
    """
    with fresh_server(tmp_path_factory.mktemp("killed")) as server:
        killed = Client(server.url)

        def kill(node, share):
            server.process.kill()

        for part in range(2):
            killed.run(part_of(killed, 20, 5, part))
        with pytest.raises(Exception):  # noqa: B017  whatever a connection says that breaks off
            killed.run(part_of(killed, 20, 5, 2), progress=kill)
        before = saved_parts(server)
    with server:
        yield server, before


def test_killed_in_the_middle_and_completed(restarted, runs):
    server, before = restarted
    assert sorted(before) == [0, 1] and all(len(files) == 4 for files in before.values())
    client = Client(server.url)
    for part in sorted(set(range(5)) - set(before)):
        client.run(part_of(client, 20, 5, part))
    found = saved_parts(server)
    assert sorted(found) == list(range(5)) and all(len(files) == 4 for files in found.values()), (
        "each frame, and none twice"
    )
    pictures = [
        np.asarray(Image.open(file).convert("RGB")).astype(int)
        for part in range(5)
        for file in found[part]
    ]
    assert same_pixels(pictures, runs[20].pictures)


def test_parts_take_the_memory_of_one_part(restarted, runs):
    """ComfyUI holds all pictures of a run until they are saved: with 200 frames all 200, in ten
    parts 20 at a time. (The storyboard is one picture more, which the parts have not.)
    """
    server, _ = restarted
    client = Client(server.url)
    client.run(part_of(client, 20, 1, 0))  # loads the model
    before = bytes_of(server)

    def run():
        for part in range(10):
            client.run(part_of(client, 200, 10, part))

    grown = {1: runs[200].grown - 4 * runs[200].sheet.size, 10: peak_while(server, run)[1] - before}
    print({parts: f"{value / 2**20:.0f} MiB" for parts, value in grown.items()})
    assert grown[10] < grown[1] - 150 * PICTURE_BYTES


def test_one_frame_again_comes_onto_the_storyboard_of_the_others(server, client):
    """The sheet of a saved film's pictures and a new one is that of a whole run in which the frame
    has its fifth take.
    """
    for file in (server.folder / "output/story").glob("*"):
        file.unlink()

    def bundled(name):
        return with_inputs(to_api(load(name), client.info), "KSampler", steps=4)

    first = bundled("first-story")
    before = saved_pixels(first, client.run(first))
    client.run(bundled("story-film"))
    prompt = bundled("one-frame-again")
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
