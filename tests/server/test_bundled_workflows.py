"""Every bundled workflow through the real server: listed, valid, and those on the demo model
run and hold what their notes say.
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
    pictures,
    runs_on_the_demo_model,
    same_pixels,
    saved,
    to_api,
    with_inputs,
)

FOLDER = "one-prompt-one-story"
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


def few_steps(client, name: str) -> dict:
    """A bundled workflow's prompt, of as many steps as tell its frames apart."""
    return with_inputs(to_api(load(name), client.info), "KSampler", steps=4)


def test_the_first_story_runs_as_it_is_bundled(client):
    shown = pictures(client, to_api(load("first-story"), client.info))
    assert [picture.shape for picture in shown] == [(256, 256, 3)] * 4
    for picture in shown:
        assert np.array_equal(picture[::8, ::8].repeat(8, 0).repeat(8, 1), picture), (
            "a latent pixel is 8x8 image pixels"
        )


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
