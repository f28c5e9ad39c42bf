"""Which row of a model call has which number, and what that means."""

from uuid import uuid4

import pytest
import torch
from story_pack.ipca.plan import Plan, RowGroup, groups_of, numbered

P, N = uuid4(), uuid4()


def plan(latents=2):
    targets, numbers = numbered({P: ["girl", "dog"], N: [None]})
    made = Plan(targets, latents)
    made.by_uuid.update({uuid: tuple(each) for uuid, each in numbers.items()})
    return made


def test_what_is_equal_has_one_number_and_nothing_is_0():
    targets, numbers = numbered({P: ["girl", "dog", "girl", None], N: [None]})
    assert targets == ("girl", "dog") and numbers == {P: [1, 2, 1, 0], N: [0]}
    assert Plan(targets, 4).targets_of([0, 2, 1]) == [None, "dog", "girl"]


@pytest.mark.parametrize("given", [[0, 0, 1, 2], [1, 0, 2, 0], [2, 2, 2, 2]])
def test_the_numbers_that_travel_with_the_batch_are_believed(given):
    assert plan().numbers_of_call(torch.tensor(given), [N, P], 4) == given


def test_without_them_the_uuids_name_the_rows_only_while_the_batch_is_whole():
    assert plan().numbers_of_call(None, [N, P], 4) == [0, 0, 1, 2]
    assert plan().numbers_of_call(None, [P], 2) == [1, 2]
    assert plan().numbers_of_call(None, [N, P], 8) is None, "tiles on the batch"
    assert plan(latents=4).numbers_of_call(None, [N, P], 4) is None, "some of the frames"
    assert plan().numbers_of_call(torch.tensor([1, 2]), [N, P], 4) is None, (
        "numbers of another batch"
    )


def test_a_conditioning_that_the_run_did_not_begin_with_has_no_targets():
    assert plan().numbers_of_call(None, [uuid4()], 7) == [0] * 7
    assert plan().numbers_of_call(None, [], 3) == [0] * 3
    assert plan().numbers_of_call(None, [uuid4(), P], 4) == [0, 0, 1, 2]


def test_neighbouring_rows_with_one_target_are_one_group():
    assert groups_of([None, None, "a", "a"]) == (RowGroup(0, 2, None), RowGroup(2, 4, "a"))
    assert groups_of(["a", "b", None, "b"]) == tuple(
        RowGroup(row, row + 1, target) for row, target in enumerate(["a", "b", None, "b"])
    )
    assert groups_of([]) == ()
