"""Lists into our nodes: what belongs together is one story or one batch, all else runs in turn."""

import pytest
import torch

from bench import inprocess
from bench.studio import Studio, defaults_of
from bench.workflow import load, names

SEVEN = [f"in place {number}" for number in range(1, 8)]
FOUR = SEVEN[:4]


@pytest.fixture(scope="module")
def s(nodes, models):
    inprocess.load_core_extras("rebatch")
    return Studio(nodes, *models("sdxl"), frames=FOUR)


def told(s, **lists):
    node = s.nodes["StoryPrompt"]
    defaults = {name: [value] for name, value in defaults_of(node).items()}
    stories, counts = node.execute(**{**defaults, "identity": ["a fox"], **lists}).args
    assert counts == [len(story.frames) for story in stories]
    return stories


def given_to(s, **lists):
    """What Story Batch is given: its defaults as lists of one, small pictures, and `lists`."""
    inputs = {**defaults_of(s.nodes["StoryBatch"]), "width": 64, "height": 64}
    inputs = {name: [value] for name, value in inputs.items()}
    return {**inputs, "story": [s.story], "frames": [s.frames], **lists}


def batches(s, **lists):
    out = s.nodes["StoryBatch"].execute(**given_to(s, **lists))
    return *out.args[:5], out.ui["story_frames"]


def seeded(s, **lists):
    """The outputs with a list of seeds: positive, latent, captions, negative, file_names, seed."""
    *outputs, _, names, seeds = s.nodes["StoryBatch"].execute(**given_to(s, **lists)).args
    return *outputs, names, seeds


def file_names(s, **lists):
    return s.nodes["StoryBatch"].execute(**given_to(s, **lists)).args[5]


def test_a_list_of_texts_is_one_story(s):
    (story,) = told(s, frames=SEVEN)
    assert (story,) == tuple(told(s, frames=["\n".join(SEVEN)])) and story.frames == tuple(SEVEN)
    (story,) = told(s, frames=["one\ntwo", "# three", "four\n"])
    assert story.frames == ("one", "two", "four") and story.told == (True, True, False, True)


def test_identities_and_window_lengths_run_one_after_the_other(s):
    stories = told(s, identity=["a fox", "a cat"], frames=SEVEN, window_length=[3, 5, 7])
    assert [(story.identity, story.window_length) for story in stories] == [
        ("a fox", 3),
        ("a cat", 5),
        ("a cat", 7),
    ]
    assert all(story.frames == tuple(SEVEN) for story in stories)


def numbered(count):
    return torch.arange(1.0, count + 1).view(-1, 1, 1, 1).expand(count, 4, 8, 8).clone()


def numbers(latents):
    return [int(each[0, 0, 0]) for latent in latents for each in latent["samples"]]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("at_once", [1, 2, 4, 0])
def test_a_list_of_latents_is_one_batch(s, size, at_once):
    """As Rebatch Latents makes it."""
    latent = {"samples": numbered(4), "noise_mask": torch.rand(4, 1, 64, 64)}
    listed = s.core("RebatchLatents", latents=[latent], batch_size=[size])
    assert len(listed) > 1
    ours, whole = (
        batches(s, latent=latents, frames_per_batch=[at_once]) for latents in (listed, [latent])
    )
    assert (
        numbers(ours[1]) == [1, 2, 3, 4]
        and ours[2] == whole[2] == FOUR
        and ours[5] == whole[5] == [0, 1, 2, 3]
    )
    for one, other in zip(ours[1], whole[1], strict=True):
        assert (
            torch.equal(one["noise_mask"], other["noise_mask"])
            and one["batch_index"] == other["batch_index"]
        )
    assert len(ours[4]) == 1


def test_a_list_of_another_number_is_an_error(s):
    with pytest.raises(
        ValueError, match="^Story Batch - latent: it has 3 images but the story has 4 frames"
    ):
        batches(s, latent=[{"samples": numbered(1)}] * 3)
    other = {"samples": torch.zeros(1, 4, 8, 16)}
    with pytest.raises(
        ValueError,
        match=(
            "^Story Batch - latent: the latents of the list have the sizes 4x8x8 and 4x8x16."
            " Connect"
        ),
    ):
        batches(s, latent=[{"samples": numbered(3)}, other])


def test_latents_without_a_mask_beside_one_with_it_are_painted(s):
    mask = torch.zeros(64, 64)
    latents = [{"samples": numbered(2), "noise_mask": mask}, {"samples": numbered(2)}]
    (out,) = batches(s, latent=latents, frames_per_batch=[0])[1]
    assert [float(each.mean()) for each in out["noise_mask"]] == [0, 0, 1, 1]


def test_whole_batches_run_one_after_the_other(s):
    two = [{"samples": numbered(4)}, {"samples": numbered(4) + 10}]
    assert numbers(batches(s, latent=two)[1]) == [1, 2, 3, 4, 11, 12, 13, 14]
    (story,) = told(s, frames=["at sea"])
    (frames,) = [s.svr(story)]
    alone = batches(
        s, story=[story], frames=[frames], latent=[{"samples": numbered(1) + at} for at in range(3)]
    )
    assert numbers(alone[1]) == [1, 2, 3]


def test_stories_run_one_after_the_other(s):
    stories = [s.story, *told(s, frames=["at sea", "in snow"])]
    frames = [s.svr(story) for story in stories]
    both = batches(s, story=stories, frames=frames, frames_per_batch=[3])
    assert [positive[0][0].shape[0] for positive in both[0]] == [3, 1, 2]
    assert both[2] == [*FOUR, "at sea", "in snow"] and both[5] == [0, 1, 2, 3, 0, 1]
    assert [share.captions for share in both[4]] == [story.frames for story in stories]
    own = [{"samples": numbered(1)}, {"samples": numbered(2) + 5}]
    assert numbers(batches(s, story=stories, frames=frames, latent=own)[1]) == [1, 1, 1, 1, 6, 7]


@pytest.mark.parametrize("at_once, batch", [(1, 4), (3, 2), (0, 1)])
def test_every_frame_with_every_seed(s, at_once, batch):
    """All lists have one entry per batch and seed, in the order of the seeds."""
    once = batches(s, frames_per_batch=[at_once])
    positives, latents, captions, _, names, seeds = seeded(
        s, frames_per_batch=[at_once], seeds=[7, 5, 7]
    )
    assert seeds == [7] * batch + [5] * batch + [7] * batch
    assert len(positives) == len(latents) == len(names) == len(seeds) and captions == FOUR * 3
    for place, (positive, latent) in enumerate(zip(positives, latents)):
        assert torch.equal(positive[0][0], once[0][place % batch][0][0])
        assert latent["batch_index"] == once[1][place % batch]["batch_index"]


def test_every_story_with_every_seed(s):
    """As many seeds as latents of a list, or as stories, change nothing about these."""
    four = [{"samples": numbered(4)[at : at + 1]} for at in range(4)]
    _, latents, *_, seeds = seeded(s, latent=four, seeds=[1, 2, 3, 4])
    assert numbers(latents) == [1, 2, 3, 4] * 4 and seeds == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    stories = [s.story, *told(s, frames=["at sea", "in snow"])]
    frames = [s.svr(story) for story in stories]
    _, _, captions, *_, seeds = seeded(s, story=stories, frames=frames, seeds=[8, 9])
    assert captions == [*FOUR, "at sea", "in snow"] * 2 and seeds == [8] * 6 + [9] * 6


def test_without_seeds_the_output_says_what_to_connect(s):
    for given in ({}, {"seeds": []}, {"seeds": [None]}):
        *_, seeds = seeded(s, **given)
        assert len(seeds) == 4 and all("Connect a list of seeds" in each.message for each in seeds)
    with pytest.raises(ValueError, match="^Story Batch - seeds: -1 is outside 0 to"):
        seeded(s, seeds=[3, -1])


def test_nothing_in_a_list_is_nothing_connected(s):
    for latent in ([], [None], [None, {"samples": numbered(4)}]):
        assert numbers(batches(s, latent=latent, negative=[None], model=[])[1]) == (
            [1, 2, 3, 4] if len(latent) == 2 else [0] * 4
        )


def test_one_value_each_is_what_it_was(s):
    latent, negative = {"samples": numbered(4), "type": "x"}, s.negative
    positives, latents, captions, negatives, shares, _ = batches(
        s, latent=[latent], negative=[negative], frames_per_batch=[0]
    )
    assert torch.equal(positives[0][0][0], s.frames[0][0]) and torch.equal(
        latents[0]["samples"], latent["samples"]
    )
    assert (
        latents[0]["type"] == "x"
        and negatives[0][0][0] is negative[0][0]
        and len(shares) == 1
        and captions == FOUR
    )


def test_a_new_node_has_lists_of_equal_length(s):
    positives, latents, captions, negatives, _, rendered = batches(s, negative=[s.negative])
    assert len(positives) == len(latents) == len(captions) == len(negatives) == len(rendered) == 4


@pytest.mark.parametrize("name", names())
def test_a_bundled_workflow_has_one_frame_per_batch_or_one_batch(name):
    nodes = [node for node in load(name)["nodes"] if node["type"] == "StoryBatch"]
    assert all(node["widgets_values"][4] in (0, 1) for node in nodes)


@pytest.mark.parametrize(
    "inputs, expected",
    [
        ({}, ["frame-001", "frame-002", "frame-003", "frame-004"]),
        ({"select": ["3"]}, ["frame-003"]),
        ({"select": ["1,3-4"], "frames_per_batch": [2]}, ["frames-001,003", "frame-004"]),
        ({"frames_per_batch": [0]}, ["frames-001-004"]),
        ({"part_index": [1], "parts": [2]}, ["frame-003", "frame-004"]),
    ],
)
def test_files_are_named_by_their_frames(s, inputs, expected):
    assert file_names(s, **inputs) == expected
