import pytest
import torch
from story_pack import log
from story_pack.ipca.schedule import Steps, step_of

FALLING = [14.6, 8.0, 4.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "sigma, step",
    [(14.6, 0), (8.0, 1), (4.0, 2), (1.0, 3), (0.0, 3), (9.0, 0), (3.9, 2), (0.5, 3), (20.0, 0)],
)
def test_step_is_the_place_of_sigma_in_the_run(sigma, step):
    assert step_of(sigma, FALLING) == step


@pytest.mark.parametrize(
    "sigma, step",
    [(0.0001, 0), (1.0, 1), (4.0, 2), (8.0, 3), (14.6, 3), (0.5, 0), (4.1, 2), (0.0, 0)],
)
def test_flipped_sigmas_count_from_the_runs_own_beginning(sigma, step):
    assert step_of(sigma, [0.0001, *FALLING[-2::-1]]) == step


@pytest.mark.parametrize("sigmas", [FALLING, [0.0001, *FALLING[-2::-1]]])
def test_step_survives_rounding(sigmas):
    for step, sigma in enumerate(sigmas[:-1]):
        for rounded in (sigma * (1 - 1e-6), sigma * (1 + 1e-6)):
            assert step_of(rounded, sigmas) == step


def test_a_sampler_that_does_not_report_its_steps_is_at_step_0_and_says_so(caplog, monkeypatch):
    monkeypatch.setattr(log, "_last_warned", {})
    sigmas = torch.tensor(FALLING)
    assert Steps().step({"sigmas": sigmas[2:3], "sample_sigmas": sigmas}) == 2 and not caplog.text
    assert (
        Steps().step({"sigmas": sigmas[2:3]}) == 0 and "every step counts as step 0" in caplog.text
    )


def test_another_part_of_a_run_has_its_own_steps():
    steps, first, second = Steps(), torch.tensor(FALLING[:3]), torch.tensor(FALLING[2:])
    assert steps.step({"sigmas": first[1:2], "sample_sigmas": first}) == 1
    assert steps.step({"sigmas": second[:1], "sample_sigmas": second}) == 0
    assert steps.step({"sigmas": first[1:2], "sample_sigmas": first}) == 1
