"""The bundled workflow through the real server: HTTP and websocket, as the page and scripts use it."""

import io

import numpy as np
import pytest
from bench.inprocess import ROOT
from bench.server import PromptFailed
from bench.workflow import load, to_api, with_inputs
from PIL import Image

FOLDER = "one-prompt-one-story"
IDS = ["IPCAPatch", "SVRReweight", "StoryBatch", "StoryDemoModel", "StoryPrompt"]


def pictures(outputs: dict) -> list[np.ndarray]:
    (images,) = outputs.values()
    return [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int) for image in images]


@pytest.fixture(scope="module")
def whole(client, story_prompt):
    return pictures(client.run(story_prompt))


def same(a: list, b: list) -> bool:
    return len(a) == len(b) and all(np.abs(x - y).max() <= 1 for x, y in zip(a, b))


def test_the_server_loads_the_pack_without_a_word(server, client):
    info = client.get("/object_info")
    assert all(info[node]["category"] == "story" for node in IDS)
    about_us = [line for line in server.log.splitlines() if "one-prompt-one-story" in line]
    assert len(about_us) == 1 and "seconds" in about_us[0], f"only its import time may be in the log: {about_us}"


def test_the_story_is_four_different_pictures(whole):
    assert [picture.shape for picture in whole] == [(128, 128, 3)] * 4
    for index, picture in enumerate(whole):
        assert all(np.abs(picture - other).max() > 8 for other in whole[:index])


def test_the_first_story_runs_as_it_is_bundled(client):
    shown = pictures(client.run(to_api(load("first-story"), client.get("/object_info"))))
    assert [picture.shape for picture in shown] == [(256, 256, 3)] * 4
    for picture in shown:
        assert np.array_equal(picture[::8, ::8].repeat(8, 0).repeat(8, 1), picture), "a latent pixel is 8x8 image pixels"


@pytest.mark.parametrize("inputs, frames", [({"select": "2,4"}, [1, 3]), ({"frames_per_batch": 1}, [0, 1, 2, 3]), ({"part_index": 1, "parts": 3}, [1]),
                                            ({"frames_per_batch": 3}, [0, 1, 2, 3])])
def test_slices_give_the_pictures_of_the_whole(client, story_prompt, whole, inputs, frames):
    assert same(pictures(client.run(with_inputs(story_prompt, "StoryBatch", **inputs))), [whole[frame] for frame in frames])


def test_the_nodes_make_a_difference(client, story_prompt, whole):
    for node, inputs in [("IPCAPatch", {"strength": 0.0}), ("SVRReweight", {"mode": "original"}), ("StoryBatch", {"noise": "per frame"})]:
        assert not same(pictures(client.run(with_inputs(story_prompt, node, **inputs))), whole), node


@pytest.mark.parametrize("node, inputs, words", [
    ("StoryPrompt", {"identity": "  "}, ["ValueError", "Story Prompt - identity", "is empty"]),
    ("StoryBatch", {"select": "3-9"}, ["ValueError", "Story Batch - select", "1 to 4"]),
    ("StoryBatch", {"part_index": 2, "parts": 2}, ["ValueError", "Story Batch - part_index"]),
    ("IPCAPatch", {"blocks": "down0"}, ["ValueError", "IPCA Patch - blocks", "down1, down2, mid, up0, up1"]),
    ("StoryPrompt", {"window_length": 0}, ["StoryPrompt", "window_length"]),
])
def test_bad_input_is_told_to_the_client_before_sampling(client, story_prompt, node, inputs, words):
    sampled = []
    changed = with_inputs(with_inputs(story_prompt, node, **inputs), "KSampler", seed=hash(str(inputs)) % 2**32)
    with pytest.raises(PromptFailed) as error:
        client.run(changed, progress=lambda name, share: sampled.append(name))
    for word in words:
        assert word in str(error.value)
    sampler = next(name for name, found in changed.items() if found["class_type"] == "KSampler")
    assert sampler not in sampled


@pytest.mark.parametrize("node", IDS)
def test_help_pages_are_served(client, node):
    assert client.get(f"/extensions/{FOLDER}/docs/{node}.md").decode().startswith("# ")


def test_the_workflow_is_in_the_template_browser(client):
    names = {path.stem for path in (ROOT / "workflows").glob("*.json")}
    assert set(client.get("/workflow_templates")[FOLDER]) == names
    for name in names:
        assert client.get(f"/api/workflow_templates/{FOLDER}/{name}.jpg")[:2] == b"\xff\xd8"
