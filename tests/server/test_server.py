"""The nodes through the real server: HTTP and websocket, as the page and scripts use it."""

import numpy as np
import pytest

from bench.server import PromptFailed
from bench.workflow import pictures, same_pixels, with_inputs

FOLDER = "one-prompt-one-story"
IDS = [
    "IPCAPatch",
    "SVRReweight",
    "StoryBatch",
    "StoryDemoModel",
    "StoryGather",
    "StoryPrompt",
    "StoryReference",
    "StorySheet",
    "StorySlate",
]


@pytest.fixture(scope="module")
def whole(client, story_prompt):
    return pictures(client, story_prompt)


def test_the_server_loads_the_pack_without_a_word(server, client):
    info = client.info
    assert all(info[node]["category"] == "story" for node in IDS)
    start = server.log.split("got prompt")[0]
    # The clone's folder may have our name too, and ComfyUI's own lines carry its path: where the
    # server found us is a word of ours.
    ours = [f".bench/base/custom_nodes/{FOLDER}", *(info[node]["display_name"] for node in IDS)]
    about_us = [line for line in start.splitlines() if any(name in line for name in ours)]
    assert len(about_us) == 1 and "seconds" in about_us[0], (
        f"only its import time may be in the log: {about_us}"
    )


def test_the_story_is_four_different_pictures(whole):
    assert [picture.shape for picture in whole] == [(128, 128, 3)] * 4
    for index, picture in enumerate(whole):
        assert all(np.abs(picture - other).max() > 8 for other in whole[:index])


@pytest.mark.parametrize(
    "inputs, frames",
    [
        ({"select": "2,4"}, [1, 3]),
        ({"frames_per_batch": 4}, [0, 1, 2, 3]),
        ({"part_index": 1, "parts": 3}, [1]),
        ({"frames_per_batch": 3}, [0, 1, 2, 3]),
    ],
)
def test_slices_give_the_pictures_of_the_whole(client, story_prompt, whole, inputs, frames):
    assert same_pixels(
        pictures(client, with_inputs(story_prompt, "StoryBatch", **inputs)),
        [whole[frame] for frame in frames],
    )


def test_the_nodes_make_a_difference(client, story_prompt, whole):
    for node, inputs in [
        ("IPCAPatch", {"strength": 0.0}),
        ("SVRReweight", {"mode": "original"}),
        ("StoryBatch", {"noise": "per frame"}),
    ]:
        assert not same_pixels(
            pictures(client, with_inputs(story_prompt, node, **inputs)), whole
        ), node


@pytest.mark.parametrize(
    "node, inputs, words",
    [
        ("StoryPrompt", {"identity": "  "}, ["ValueError", "Story Prompt - identity", "is empty"]),
        (
            "StoryPrompt",
            {"frames": "# all\n# off"},
            ["ValueError", "Story Prompt - frames", "holds no frame"],
        ),
        ("StoryBatch", {"select": "3-9"}, ["ValueError", "Story Batch - select", "1 to 4"]),
        ("StoryBatch", {"part_index": 2, "parts": 2}, ["ValueError", "Story Batch - part_index"]),
        (
            "IPCAPatch",
            {"blocks": "down0"},
            ["ValueError", "IPCA Patch - blocks", "down1, down2, mid, up0, up1"],
        ),
        ("StoryPrompt", {"window_length": 0}, ["StoryPrompt", "window_length"]),
    ],
)
def test_bad_input_is_told_to_the_client_before_sampling(client, story_prompt, node, inputs, words):
    sampled = []
    changed = with_inputs(
        with_inputs(story_prompt, node, **inputs), "KSampler", seed=hash(str(inputs)) % 2**32
    )
    with pytest.raises(PromptFailed) as error:
        client.run(changed, progress=lambda name, share: sampled.append(name))
    for word in words:
        assert word in str(error.value)
    sampler = next(name for name, found in changed.items() if found["class_type"] == "KSampler")
    assert sampler not in sampled


def test_a_negative_output_without_its_input_is_told_before_sampling(client, story_prompt):
    (batch,) = (name for name, found in story_prompt.items() if found["class_type"] == "StoryBatch")
    changed, sampled = with_inputs(story_prompt, "KSampler", negative=[batch, 3]), []
    with pytest.raises(
        PromptFailed,
        match="Story Batch - negative: nothing is connected .* Connect the negative prompt",
    ):
        client.run(
            changed, progress=lambda name, share: sampled.append(changed[name]["class_type"])
        )
    assert "KSampler" not in sampled


@pytest.mark.parametrize("node", IDS)
def test_help_pages_are_served(client, node):
    assert client.get(f"/extensions/{FOLDER}/docs/{node}.md").decode().startswith("# ")


def with_nodes(prompt, **nodes):
    return {
        **prompt,
        **{name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()},
    }


def test_a_list_of_texts_is_one_story(client, story_prompt, whole):
    """Story Batch's captions, four texts as a list, are the frames of another Story Prompt."""
    (prompt,) = (found for found in story_prompt.values() if found["class_type"] == "StoryPrompt")
    (name,) = (name for name, found in story_prompt.items() if found is prompt)
    (batch,) = (name for name, found in story_prompt.items() if found["class_type"] == "StoryBatch")
    listed = with_nodes(
        story_prompt, told=("StoryPrompt", {**prompt["inputs"], "frames": [batch, 2]})
    )
    readers = {
        node: found["inputs"]
        for node, found in story_prompt.items()
        if found["class_type"] in ("SVRReweight", "IPCAPatch")
    }
    for node, inputs in readers.items():
        listed["told " + node] = {**listed[node], "inputs": {**inputs, "story": ["told", 0]}}
    again = {
        **listed[batch]["inputs"],
        "story": ["told", 0],
        "frames": [f"told {listed[batch]['inputs']['frames'][0]}", 0],
    }
    listed = with_nodes(listed, again=("StoryBatch", again))
    (sampler,) = (node for node, found in story_prompt.items() if found["class_type"] == "KSampler")
    model = f"told {listed[sampler]['inputs']['model'][0]}"
    listed = with_inputs(
        listed, "KSampler", positive=["again", 0], latent_image=["again", 1], model=[model, 0]
    )
    assert name in listed and same_pixels(pictures(client, listed), whole)


def test_a_list_of_latents_is_one_batch(client, story_prompt):
    """Four empty latents, one by one as Rebatch Latents makes them, are those of four frames."""
    nodes = {"empty": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 4})}
    nodes["listed"] = ("RebatchLatents", {"latents": ["empty", 0], "batch_size": 1})
    whole, shown = (
        pictures(
            client, with_inputs(with_nodes(story_prompt, **nodes), "StoryBatch", latent=latent)
        )
        for latent in (["empty", 0], ["listed", 0])
    )
    assert len(whole) == 4 and same_pixels(shown, whole)
