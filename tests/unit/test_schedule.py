import pytest
import torch
from story_pack import log
from story_pack.ipca.schedule import Run, positive_rows, runs_of, sigmas_of_run, step_of

SIGMAS = torch.tensor([14.6, 8.0, 4.0, 1.0, 0.0])


@pytest.mark.parametrize("sigma, step", [(14.6, 0), (8.0, 1), (4.0, 2), (1.0, 3), (0.0, 3), (9.0, 0), (3.9, 2), (0.5, 3), (20.0, 0)])
def test_step_is_the_place_of_sigma_in_the_run(sigma, step):
    assert int(step_of(torch.tensor(sigma), SIGMAS)) == step


def test_step_survives_rounding():
    for step, sigma in enumerate(SIGMAS[:-1]):
        for rounded in (sigma * (1 - 1e-6), sigma * (1 + 1e-6)):
            assert int(step_of(rounded, SIGMAS)) == step


def test_a_sampler_that_does_not_tell_its_steps_is_at_step_0_and_that_is_said_where_it_matters(caplog, monkeypatch):
    monkeypatch.setattr(log, "_last_warned", {})
    assert sigmas_of_run({}, True) is None
    assert torch.equal(sigmas_of_run({"sigmas": SIGMAS[2:3], "sample_sigmas": SIGMAS}, True), SIGMAS)
    assert int(step_of(SIGMAS[2], sigmas_of_run({"sigmas": SIGMAS[2:3]}, False))) == 0 and not caplog.text
    assert int(step_of(SIGMAS[2], sigmas_of_run({"sigmas": SIGMAS[2:3]}, True))) == 0 and "every step counts as step 0" in caplog.text


def test_neighbouring_rows_that_attend_alike_are_one_run():
    assert runs_of([None, None, 0, 0], [1, 1, 1, 1]) == (Run(0, 2, 0), Run(2, 4, 1))
    assert runs_of([0, 0, None, 0], [1, 2, 3, 2]) == (Run(0, 1, 1), Run(1, 2, 2), Run(2, 3, 0), Run(3, 4, 2))
    assert runs_of([], []) == ()


def test_rows_of_different_memories_are_different_runs():
    assert runs_of([None, 1, 1, 0, 1], [2, 1, 1, 1, 2]) == (Run(0, 1, 0), Run(1, 3, 1, 1), Run(3, 4, 1, 0), Run(4, 5, 2, 1))


def test_outside_any_run_the_chunks_that_are_positive():
    assert positive_rows(6, [1, 0, 2], 0) == [False, False, True, True, False, False]
    assert positive_rows(4, [], 0) == [False] * 4
    assert positive_rows(5, [0, 1], 0) == [False] * 5, "rows that do not divide into the chunks are not guessed at"
