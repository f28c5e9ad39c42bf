"""The bundled workflow through the real server: HTTP and websocket, as the page and scripts use
it.
"""

import json

import numpy as np
import pytest
from aiohttp import ClientResponseError

from bench.server import PromptFailed
from bench.subgraphs import all_nodes
from bench.workflow import (
    load,
    names,
    newer_nodes,
    runs_on_the_demo_model,
    same_pixels,
    saved,
    saved_pixels,
    to_api,
    with_inputs,
)

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
# Core's nodes that ComfyUI 0.33.0 marks deprecated; the ComfyUI that the tests run on may be older.
DEPRECATED_SINCE = {
    *(
        "CheckpointLoader",
        "DiffusersLoader",
        "ControlNetApply",
        "ControlNetApplySD3",
        "ImageBatch",
        "ImageCrop",
        "LatentBatch",
        "PerpNeg",
    ),
    *(
        "SaveAudio",
        "SaveAudioMP3",
        "SaveAudioOpus",
        "ResizeImagesByShorterEdge",
        "ResizeImagesByLongerEdge",
        "TextToLowercase",
    ),
    *(
        "TextToUppercase",
        "TruncateText",
        "AddTextPrefix",
        "AddTextSuffix",
        "ReplaceText",
        "StripWhitespace",
        "MergeImageLists",
    ),
    *("MergeTextLists", "VoxelToMeshBasic", "wanBlockSwap"),
}
TOKENS = "/one-prompt-one-story/tokens"


def few_steps(client, name: str) -> dict:
    """A bundled workflow's prompt, of as many steps as tell its frames apart."""
    return with_inputs(to_api(load(name), client.info), "KSampler", steps=4)


def pictures(client, prompt: dict, prefix: str = "story/frame") -> list[np.ndarray]:
    """Run the prompt; what its Save Image of that prefix saved."""
    return saved_pixels(prompt, client.run(prompt), prefix)


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


def test_the_first_story_runs_as_it_is_bundled(client):
    shown = pictures(client, to_api(load("first-story"), client.info))
    assert [picture.shape for picture in shown] == [(256, 256, 3)] * 4
    for picture in shown:
        assert np.array_equal(picture[::8, ::8].repeat(8, 0).repeat(8, 1), picture), (
            "a latent pixel is 8x8 image pixels"
        )


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


def test_the_workflows_are_in_the_template_browser(client):
    assert set(client.get("/workflow_templates")[FOLDER]) == set(names())
    for name in names():
        assert client.get(f"/api/workflow_templates/{FOLDER}/{name}.jpg")[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", names())
def test_every_workflow_passes_the_servers_validation(client, name):
    info = client.info
    if lacking := newer_nodes(name, info):
        pytest.skip(f"this ComfyUI has no {', '.join(lacking)}")
    prompt = to_api(load(name), info)
    if runs_on_the_demo_model(name):
        prompt = with_inputs(prompt, "KSampler", steps=2)
        outputs = client.run(prompt)
        assert all(
            outputs[node] for node, item in prompt.items() if item["class_type"] == "SaveImage"
        ), "every Save Image has pictures"
    else:
        assert client.refusal(prompt) == {}


def test_the_blueprint_is_listed_and_draws_what_its_nodes_draw_side_by_side(client):
    """Where ComfyUI has blueprints. The pictures are those of `first-story`."""
    try:
        listed = client.get("/global_subgraphs")
    except ClientResponseError:
        pytest.skip("this ComfyUI has no blueprints")
    (name,) = (key for key, each in listed.items() if FOLDER in each["info"]["node_pack"])
    blueprint = json.loads(client.get(f"/global_subgraphs/{name}")["data"])
    assert blueprint["nodes"][0]["title"] == listed[name]["name"] == "One Prompt, One Story"
    info = client.get("/object_info")
    simple, whole = (
        pictures(client, with_inputs(to_api(load(name), info), "KSampler", steps=3))
        for name in ("first-story-simple", "first-story")
    )
    assert same_pixels(simple, whole)


@pytest.mark.parametrize("name", names())
def test_no_workflow_has_a_node_that_core_calls_deprecated(client, name):
    info, used = client.info, {node["type"] for node in all_nodes(load(name))}
    assert (
        not [node for node in used if info.get(node, {}).get("deprecated")]
        and not used & DEPRECATED_SINCE
    )


def test_two_machines_share_a_story_without_a_gap(client):
    prompt = few_steps(client, "first-story")
    first, second, alone = (
        pictures(client, with_inputs(prompt, "StoryBatch", part_index=part, parts=parts))
        for part, parts in ((0, 2), (1, 2), (0, 1))
    )
    assert len(first) == len(second) == 2 and same_pixels(first + second, alone)


def test_slate_and_gather_change_nothing_on_one_machine(client):
    """The pictures without the two are the same to the last bit, and so is the sheet, whatever the
    batches.
    """
    prompt = few_steps(client, "distributed-story")
    (decode,) = (node for node, item in prompt.items() if item["class_type"] == "VAEDecode")
    (batch,) = (node for node, item in prompt.items() if item["class_type"] == "StoryBatch")
    without = with_inputs(
        with_inputs(prompt, "SaveImage", images=[decode, 0]),
        "StorySheet",
        images=[decode, 0],
        captions=[batch, 2],
    )
    (sheet,) = (node for node, item in without.items() if item["class_type"] == "StorySheet")
    (board,) = (
        item
        for item in without.values()
        if item["inputs"].get("filename_prefix") == "story/storyboard"
    )
    board["inputs"]["images"] = [sheet, 0]
    del without[sheet]["inputs"]["frame_numbers"]
    without = {
        node: item
        for node, item in without.items()
        if item["class_type"] not in ("StorySlate", "StoryGather")
    }
    for prefix in ("story/frame", "story/storyboard"):
        for with_two, plain in zip(
            pictures(client, prompt, prefix), pictures(client, without, prefix), strict=True
        ):
            assert np.array_equal(with_two, plain)


def test_missing_frames_end_the_run_after_the_others_are_saved(client):
    """Half a story, by hand: its pictures and its sheet are there, and the page is told which
    frames are not.
    """
    prompt = with_inputs(
        few_steps(client, "distributed-story"), "StoryBatch", part_index=1, parts=2
    )
    with pytest.raises(PromptFailed) as failure:
        client.run(prompt)
    assert "ValueError: Story Gather - images: 3 of 7 frames did not come: 1-3" in str(
        failure.value
    )
    assert len(saved(prompt, failure.value.outputs)) == 4
    assert len(saved(prompt, failure.value.outputs, "story/storyboard")) == 1
    assert client.run(with_inputs(prompt, "StoryBatch", part_index=0, parts=1)), (
        "the next run is right again"
    )


def test_a_long_story_comes_in_batches_that_agree_with_single_frames(client):
    prompt = few_steps(client, "long-story")
    story = pictures(client, prompt)
    assert len(story) == 20
    assert same_pixels(
        pictures(client, with_inputs(prompt, "StoryBatch", select="3,13-14")),
        [story[2], story[12], story[13]],
    )


def ask(client, **asked) -> tuple[int, dict]:
    return client.post(TOKENS, json.dumps(asked).encode())


def test_the_token_route_counts_as_clip_does(client):
    """Counts from CLIP's published vocabulary: every one of these words is one token."""
    status, answer = ask(
        client,
        identity="a red (fox:1.2)",
        frames="in the snow\n# at sea\nat the beach",
        window_length=10,
    )
    assert status == 200
    assert answer == {
        "identity": 3,
        "frames": [3, 3],
        "window": 2,
        "fullest": 9,
        "limit": 75,
        "over": [],
        "estimate": False,
    }


def test_the_token_route_says_what_does_not_fit(client):
    _, answer = ask(
        client,
        identity="fox " * 40,
        frames="\n".join(["snow " * 20, "sea " * 36, "sun " * 35]),
        window_length=10,
    )
    assert (answer["window"], answer["over"], answer["fullest"]) == (1, [1], 76)
    _, answer = ask(client, identity="fox embedding:unknown", frames="snow", window_length=1)
    assert answer["estimate"] is True and answer["identity"] == 2


@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 400),
        (b"[1]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 5000, 400),
        (b'{"identity": 1, "frames": "x", "window_length": 1}', 400),
        (b'{"identity": "x", "frames": ["x"], "window_length": 1}', 400),
        (b'{"identity": "x", "frames": "x", "window_length": true}', 400),
        (b'{"identity": "x", "frames": "x", "window_length": 65}', 400),
        (b'{"identity": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_the_token_route_refuses_what_it_does_not_take(client, body, status):
    answered, answer = client.post(TOKENS, body)
    assert answered == status and answer["error"]


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
