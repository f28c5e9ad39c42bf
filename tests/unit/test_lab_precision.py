"""Which number format is trained in follows from what was measured, whatever the processor is
called.
"""

import pytest
import torch

from lab.training import precision


class Measured:
    """Stands for a machine: seconds by format, the first go of bfloat16 with one-off costs."""

    def __init__(self, plain: float, reduced: float, first: float | None = None):
        self.plain, self.reduced, self.first = plain, reduced, first
        self.goes = []

    def seconds(self, dtype):
        self.goes.append(dtype)
        if dtype is None:
            return self.plain
        first, self.first = self.first, None
        return self.reduced if first is None else first


@pytest.fixture
def decide(monkeypatch):
    def on(machine: Measured):
        precision.fast_dtype.cache_clear()
        monkeypatch.setattr(precision, "_Work", lambda where: machine)
        return precision.fast_dtype("cpu")

    yield on
    precision.fast_dtype.cache_clear()


@pytest.mark.parametrize(
    "machine, expected",
    [
        (Measured(1.0, 0.3), torch.bfloat16),
        (Measured(1.0, 0.3, first=50.0), torch.bfloat16),
        (Measured(1.0, 0.95), None),
        (Measured(1.0, 1.0), None),
        (Measured(1.0, 12.0), None),
    ],
    ids=[
        "matrix units",
        "matrix units, slow to start",
        "hardly faster",
        "the same",
        "worked out in software",
    ],
)
def test_the_faster_format_is_chosen(decide, machine, expected):
    assert decide(machine) is expected


def test_a_format_that_is_worked_out_in_software_is_not_tried_for_long(decide):
    machine = Measured(1.0, 12.0)
    decide(machine)
    assert machine.goes.count(torch.bfloat16) == 2


def test_this_machine_is_measured_and_trains_in_what_was_found():
    precision.fast_dtype.cache_clear()
    found = precision.fast_dtype("cpu")
    with precision.autocast(torch.device("cpu")):
        out = torch.nn.Linear(8, 8)(torch.randn(2, 8))
    assert found in (None, torch.bfloat16) and out.dtype is (found or torch.float32)
