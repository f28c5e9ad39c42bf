"""Two hundred frames through the real server: memory, cost, the sheet, and going on after Cancel."""

import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from bench.server import PromptFailed
from bench.workflow import load, same_pixels, saved_pixels, to_api, with_inputs

PICTURE_BYTES = 256 * 256 * 3 * 4  # one picture as ComfyUI holds it


def story_of(client, frames: int, steps: int = 2, **batch) -> dict:
    """The bundled long story with that many frames, a number in each."""
    prompt = to_api(load("long-story"), client.get("/object_info"))
    lines = "\n".join(f"playing in the snow {number}" for number in range(1, frames + 1))
    prompt = with_inputs(with_inputs(prompt, "StoryPrompt", frames=lines), "KSampler", steps=steps)
    return with_inputs(with_inputs(prompt, "StoryBatch", **batch), "StorySheet", panel_width=96, columns=0)


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
        prompt, steps = story_of(client, frames), []

        def run(prompt=prompt, steps=steps):
            return client.run(prompt, progress=lambda node, share: steps.append(prompt[node]["class_type"]))

        outputs, peak = peak_while(server, run)
        found[frames] = (saved_pixels(prompt, outputs), saved_pixels(prompt, outputs, "story/storyboard")[0], peak, steps.count("KSampler"))
    return found


def test_every_frame_comes(runs):
    for frames, (pictures, _, _, _) in runs.items():
        assert len(pictures) == frames and all(picture.shape == (256, 256, 3) for picture in pictures)


def test_memory_grows_by_the_pictures_alone(runs):
    """ComfyUI keeps all pictures of a run until it is saved; sampling adds nothing to that, however long the story is."""
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
        small = np.asarray(Image.fromarray(pictures[index].astype(np.uint8)).resize((96, 96), Image.Resampling.LANCZOS)).astype(int)
        left = 16 + index * panel
        tops = [np.abs(sheet[top : top + 96, left : left + 96] - small).mean() for top in range(16, 80)]
        assert min(tops) < 2


def test_cancelled_and_completed_with_select(client):
    """Saved pictures stay; the missing frames, rendered on their own, are those of the whole story."""
    whole_prompt = story_of(client, 24, steps=4)
    whole = saved_pixels(whole_prompt, client.run(whole_prompt))
    first_prompt, second_prompt = (story_of(client, 24, steps=4, select=select) for select in ("1-12", "13-24"))
    first = saved_pixels(first_prompt, client.run(first_prompt))

    def cancel(node, share):
        client.post("/interrupt", b"{}")

    with pytest.raises(PromptFailed):
        client.run(second_prompt, progress=cancel)
    second = saved_pixels(second_prompt, client.run(second_prompt))
    assert len(first) == len(second) == 12
    assert same_pixels(first + second, whole)
