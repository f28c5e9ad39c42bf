"""An error keeps its three parts, so that whoever rephrases one never has to read its text."""

import copy

import pytest
from story_pack.errors import InputError, reported_by


def test_an_error_keeps_its_parts_and_reads_as_one_line():
    error = InputError("select", "'1. 2' is not a frame number", "Write frames like '1-3,5'")
    for one in (error, copy.copy(error)):
        assert (one.input, one.problem, one.remedy) == error.args
        assert str(one) == "select: '1. 2' is not a frame number. Write frames like '1-3,5'."


def test_the_node_adds_its_name_to_bad_inputs_only():
    with (
        pytest.raises(ValueError, match="^Story Batch - select: it is 0. Write 1.$") as told,
        reported_by("Story Batch"),
    ):
        raise InputError("select", "it is 0", "Write 1")
    assert type(told.value) is ValueError
    with pytest.raises(KeyError), reported_by("Story Batch"):
        raise KeyError("a bug stays a bug")
