"""Story Slate and Story Gather as ComfyUI calls them, every input a list: the engine itself is in
tests/distributed.
"""

import pytest
import torch
from comfy_api.latest import io

from bench.studio import defaults_of

FRAMES = ["in the snow", "at sea", "at home", "in bed", "at school"]


@pytest.fixture
def s(studio):
    from bench.studio import Studio

    sdxl = studio("sdxl")
    return Studio(sdxl.nodes, sdxl.model, sdxl.clip, frames=FRAMES)


def pictures(count, seed=0, size=(16, 24), channels=3):
    return torch.rand(count, *size, channels, generator=torch.Generator().manual_seed(seed))


def share(s, **batch):
    return s.batch(**batch)[4]


def slate(s, images, its_share, earlier=None, **inputs):
    lists = {
        "master": ["renders"],
        "earlier_frames": [""],
        **{name: [value] for name, value in inputs.items()},
    }
    more = {} if earlier is None else {"earlier": earlier}
    return s.nodes["StorySlate"].execute(images=images, share=[its_share], **lists, **more).args[0]


def gather(s, images):
    """Story Gather in a graph of its own, with a Save Image after its sheet and one that has
    nothing to do with it.
    """
    graph = {
        "1": {"class_type": "StoryGather", "inputs": {"images": ["0", 0]}},
        "2": {"class_type": "StorySheet", "inputs": {"images": ["1", 0], "title": "x"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["0", 0]}},
    }
    return in_graph(s.nodes["StoryGather"], "1", graph).execute(images=images)


def in_graph(node, number, graph):
    """The node as ComfyUI runs it at that place of a graph: it learns its place, from newer cores
    in a dict of its own.
    """
    hidden = {io.Hidden.unique_id: number, io.Hidden.prompt: graph}
    return node.PREPARE_CLASS_CLONE({**hidden, "hidden_inputs": hidden})


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("select, frames_per_batch", [("", 0), ("", 2), ("2-3,5", 1)])
def test_on_one_machine_the_two_change_nothing(s, select, frames_per_batch, channels):
    its_share = share(s, select=select)
    whole = pictures(len(its_share.rendered), channels=channels)
    out = gather(s, [slate(s, list(whole.split(frames_per_batch or len(whole))), its_share)])
    assert torch.equal(out.args[0], whole) and out.args[0].is_contiguous()
    assert out.args[1] == [FRAMES[frame] for frame in its_share.rendered]
    assert (
        out.args[2] == [frame + 1 for frame in its_share.rendered]
        and out.args[3] == ""
        and out.expand is None
    )


def test_pictures_come_in_any_order_and_as_a_list(s):
    """As newer collectors hand them on: one batch a machine, the last machine first."""
    whole = pictures(5)
    shares = [share(s, part_index=part, parts=3) for part in range(3)]
    lists = [slate(s, [whole[list(one.rendered)]], one) for one in reversed(shares)]
    out = gather(s, [*lists, lists[1]])
    assert torch.equal(out.args[0], whole) and out.args[1] == FRAMES and out.args[3] == ""


def test_what_came_goes_on_and_the_error_waits_for_what_hangs_on_it(s):
    whole = pictures(5)
    out = gather(s, [slate(s, [whole[1:3]], share(s, part_index=1, parts=3))])
    assert torch.equal(out.args[0], whole[1:3]) and out.args[2] == [2, 3] and out.args[3] == "1,4-5"
    (added,) = out.expand.values()
    assert added["class_type"] == "StoryGather"
    assert [value for value in added["inputs"].values() if isinstance(value, list)] == [["3", 0]]


@pytest.mark.parametrize("text", ["", "1-2,4-5"])
def test_earlier_pictures_come_along_from_the_first_machine_alone(s, text):
    whole = pictures(5)
    now, before = share(s, select="3"), whole[[0, 1, 3, 4]]
    out = gather(
        s, [slate(s, [whole[2:3]], now, earlier=[before[:1], before[1:]], earlier_frames=text)]
    )
    assert torch.equal(out.args[0], whole) and out.args[1] == FRAMES
    second = share(s, select="3,5", part_index=1, parts=2)
    assert second.rendered == (4,)
    alone = slate(s, [whole[4:]], second, earlier=[whole[[0, 1, 3]]])
    assert alone.shape[0] == 1
    assert gather(s, [alone]).args[3] == "1-4", (
        "the first machine's pictures, the earlier ones among them, are missed"
    )


def test_a_machine_too_many_renders_a_frame_again(s):
    node = s.nodes["StoryBatch"]
    inputs = {
        **defaults_of(node),
        "story": s.story,
        "frames": s.frames,
        "select": "2,4",
        "part_index": 2,
        "parts": 3,
    }
    inputs = {name: [value] for name, value in inputs.items()}
    for dealt, expected in (({"dealt": True}, (1,)), ({}, None)):
        graph = {"7": {"class_type": "StoryBatch", "inputs": {**dealt}}}
        clone = in_graph(node, "7", graph)
        if expected:
            assert clone.execute(**inputs).args[4][0].rendered == expected
        else:
            with pytest.raises(
                ValueError, match="^Story Batch - parts: 3 parts for 2 selected frames"
            ):
                clone.execute(**inputs)


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"images": [pictures(4)]}, "Story Slate - images: there are 4 pictures for 5 frames"),
        (
            {"images": [pictures(4), pictures(1, size=(16, 16))]},
            "Story Slate - images: the pictures differ in size",
        ),
        ({"images": ["x"]}, "Story Slate - images: expected an IMAGE, received str"),
        ({"images": []}, "Story Slate - images: expected an IMAGE, received nothing"),
        ({"earlier": ["x"]}, "Story Slate - earlier: expected an IMAGE, received str"),
        ({"its_share": None}, "Story Slate - share: expected a STORY_SHARE, received nothing"),
        ({"master": "sleeps"}, "Story Slate - master: 'sleeps' is unknown"),
        (
            {"earlier_frames": "1"},
            "Story Slate - earlier_frames: no earlier pictures are connected",
        ),
        (
            {"earlier": [pictures(2)]},
            r"Story Slate - earlier: there are 2 pictures for the 0 frames \(none\)",
        ),
        (
            {"earlier": [pictures(1)], "earlier_frames": "2"},
            "Story Slate - earlier_frames: frames 2 are rendered now as well",
        ),
        (
            {"earlier": [pictures(1)], "earlier_frames": "1. 2"},
            r"Story Slate - earlier_frames: '1\. 2' is not a frame number or a range\. ",
        ),
        (
            {"earlier": [pictures(1)], "earlier_frames": "9"},
            "Story Slate - earlier_frames: '9' is outside the story's frames 1 to 5",
        ),
    ],
)
def test_bad_input_is_told(s, inputs, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        slate(s, **{"images": [pictures(5)], "its_share": share(s), **inputs})


@pytest.mark.parametrize(
    "images, words",
    [
        (lambda slated: slated[:0], "no picture came"),
        (lambda slated: torch.rand(2, 16, 24, 3), "picture 1 has no slate that can be read"),
        (
            lambda slated: torch.nn.functional.interpolate(
                slated.movedim(-1, 1), scale_factor=2
            ).movedim(1, -1),
            "picture 1 has no slate",
        ),
        (lambda slated: slated[:, :-1], "picture 1 was cropped"),
        (lambda slated: torch.cat([slated, slated], dim=1), "picture 1 was cropped or joined"),
        (lambda slated: torch.cat([slated[:1], slated[1:].flip(1)]), "picture 2 has no slate"),
    ],
)
def test_pictures_that_were_changed_are_told(s, images, words):
    with pytest.raises(ValueError, match=f"^Story Gather - images: {words}"):
        gather(s, [images(slate(s, [pictures(5)], share(s)))])
