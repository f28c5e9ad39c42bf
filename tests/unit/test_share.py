"""Which share a machine takes, from what ComfyUI-Distributed tells it. `tests/distributed` has the
real engine.
"""

import copy
import json

import pytest
from story_pack.machines import prompt as handler
from story_pack.machines.collector import automatic_part
from story_pack.machines.prompt import DEALT
from story_pack.machines.share import share_of

WORKERS = ["b", "a", "7"]


def told(worker=None, **more):
    """The collector's inputs as the engine writes them for the master or a worker."""
    inputs = {
        "images": ["8", 0],
        "load_balance": False,
        "multi_job_id": "exec_1_9",
        "enabled_worker_ids": json.dumps(WORKERS),
    }
    return {
        **inputs,
        "is_worker": worker is not None,
        **({"worker_id": worker} if worker else {"delegate_only": False}),
        **more,
    }


@pytest.mark.parametrize("count, parts", [(1, 1), (7, 3), (10, 4), (5, 5), (200, 7)])
def test_parts_cover_every_frame_once_in_order(count, parts):
    frames = list(range(100, 100 + count))
    shares = [share_of(frames, index, parts) for index in range(parts)]
    assert sum(shares, []) == frames
    sizes = [len(share) for share in shares]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "index, parts, named",
    [(0, 4, "parts"), (3, 3, "part_index"), (-1, 2, "part_index"), (1, 0, "part_index")],
)
def test_parts_that_cannot_be(index, parts, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        share_of([0, 1, 2], index, parts)


@pytest.mark.parametrize(
    "master_renders, expected",
    [(True, [(0, 4), (1, 4), (2, 4), (3, 4)]), (False, [(0, 3), (0, 3), (1, 3), (2, 3)])],
)
def test_every_participant_has_its_own_part(master_renders, expected):
    assert [automatic_part(told(worker), master_renders) for worker in (None, *WORKERS)] == expected


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("master_renders", [True, False])
def test_together_they_render_every_frame(count, master_renders):
    frames = list(range(count))
    machines = [None, *WORKERS] if master_renders else WORKERS
    shares = [
        share_of(frames, *automatic_part(told(machine), master_renders), spare_machines=True)
        for machine in machines
    ]
    assert set(sum(shares, [])) == set(frames) and all(shares), (
        "and a machine without a frame would be waited for"
    )
    assert len(sum(shares, [])) == max(count, len(machines)), (
        "no frame twice while there are enough"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"multi_job_id": ""},
        {"pass_through": True},
        {"load_balance": True},
        {"load_balance": "yes"},
        {"enabled_worker_ids": "[]"},
        {"enabled_worker_ids": "["},
        {"enabled_worker_ids": "[" * 5000},
        {"enabled_worker_ids": None},
        {"enabled_worker_ids": '{"a": 1}'},
        {"enabled_worker_ids": '["a"]', "is_worker": True, "worker_id": "stranger"},
    ],
)
def test_whoever_is_alone_or_unknown_renders_everything(more):
    assert automatic_part({**told(), **more}, True) is None


def test_one_worker_of_a_master_that_delegates_renders_everything():
    assert automatic_part(told("a", enabled_worker_ids='["a"]'), master_renders=False) is None


def prompt(slate=None, collector=None, **batch):
    return {
        "1": {"class_type": "StoryPrompt", "inputs": {"frames": "snow"}},
        "2": {
            "class_type": "StoryBatch",
            "inputs": {"story": ["1", 0], "part_index": 0, "parts": 0, **batch},
        },
        "3": {
            "class_type": "StorySlate",
            "inputs": {"images": ["2", 0], "master": "renders", **(slate or {})},
        },
        "4": {
            "class_type": "DistributedCollector",
            "inputs": {**told("a"), "images": ["3", 0], **(collector or {})},
        },
        "5": {"class_type": "StoryGather", "inputs": {"images": ["4", 0]}},
        "6": {
            "class_type": "StoryBatch",
            "inputs": {"story": ["1", 0], "part_index": 0, "parts": 0},
        },
    }


def test_the_handler_writes_the_share_of_what_the_collector_gathers_alone():
    given = prompt()
    before = copy.deepcopy(given)
    out = handler.on_prompt({"prompt": given, "client_id": "x"})
    assert out["client_id"] == "x" and out["prompt"]["2"]["inputs"] == {
        **before["2"]["inputs"],
        "part_index": 2,
        "parts": 4,
        DEALT: True,
    }
    assert {node: item for node, item in out["prompt"].items() if node != "2"} == {
        k: v for k, v in before.items() if k != "2"
    }
    assert given == before, "what was given is not changed"


@pytest.mark.parametrize(
    "slate, expected",
    [
        ({"master": "only delegates"}, (1, 3)),
        ({"master": ["1", 0]}, (2, 4)),
        ({"master": 3}, (2, 4)),
    ],
)
def test_the_slate_says_whether_the_master_renders(slate, expected):
    inputs = handler.on_prompt({"prompt": prompt(slate)})["prompt"]["2"]["inputs"]
    assert (inputs["part_index"], inputs["parts"]) == expected


@pytest.mark.parametrize(
    "batch",
    [
        {"parts": 3, "part_index": 1},
        {"parts": 1},
        {"parts": ["1", 0]},
        {"parts": None},
        {"parts": "0"},
    ],
)
def test_numbers_set_by_hand_stay(batch):
    assert handler.on_prompt({"prompt": prompt(**batch)})["prompt"]["2"] == prompt(**batch)["2"]


def test_a_share_without_a_slate_is_dealt_and_told(caplog):
    given = prompt(collector={"images": ["2", 0]})
    assert handler.on_prompt({"prompt": given})["prompt"]["2"]["inputs"]["parts"] == 4
    assert "without a Story Slate" in caplog.text


def test_load_balance_on_one_collector_counts_for_all():
    given = prompt()
    given["7"] = {
        "class_type": "DistributedCollector",
        "inputs": {**told("a"), "images": ["6", 0], "load_balance": True},
    }
    assert handler.on_prompt({"prompt": given})["prompt"] == given


def test_without_a_collector_the_request_is_the_very_same_object():
    request = {"prompt": {node: item for node, item in prompt().items() if node not in "45"}}
    assert handler.on_prompt(request) is request


JUNK = [
    None,
    True,
    -1,
    "",
    "x",
    [],
    {},
    [["4", 0], 0],
    ["4", 0],
    ["2"],
    {"inputs": []},
    {"class_type": []},
    {"class_type": "StoryBatch"},
]


@pytest.mark.parametrize("junk", JUNK)
def test_a_malformed_prompt_goes_on_as_it_came(junk):
    """To the server's own validation. It may come through a socket, from a script, or from another
    pack's handler.
    """
    for request in (
        junk,
        {"prompt": junk},
        {"prompt": {**prompt(), "9": junk}},
        {"prompt": {**prompt(), "4": junk}},
    ):
        before = copy.deepcopy(request)
        handler.on_prompt(request)
        assert request == before
    for node in "2345":
        for name in prompt()[node]["inputs"]:
            given = prompt()
            given[node]["inputs"][name] = junk
            assert set(handler.on_prompt({"prompt": given})["prompt"]) == set(given)


def test_links_in_a_circle_end():
    given = prompt(story=["4", 0])
    assert handler.on_prompt({"prompt": given})["prompt"]["2"]["inputs"]["parts"] == 4
