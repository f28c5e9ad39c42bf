"""KSampler's samplers and schedulers: IPCA in a range of steps, against the bias form at the same
sigmas.

Every sampler and every scheduler comes up here; `make fuzz` runs each with each.
"""

import os

import comfy.samplers
import pytest
import torch

from bench.references import bias_form
from bench.studio import relative

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:torchsde",
    "ignore:To copy construct from a tensor",
    "ignore:Converting a tensor with requires_grad",
)
THOROUGH = "FUZZ" in os.environ
STEPS = 3
STRENGTH = 8.0
ROUNDING = 1e-5
SAMPLERS, SCHEDULERS = comfy.samplers.KSampler.SAMPLERS, comfy.samplers.KSampler.SCHEDULERS


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_step_range(studio, sampler):
    """On only in the first step. What a sampler evaluates between two steps belongs to the earlier
    one.
    """
    s = studio("small")
    positive, latent = s.story_batch(select="1")
    first = SAMPLERS.index(sampler) % len(SCHEDULERS)
    schedulers = SCHEDULERS if THOROUGH else (SCHEDULERS[first], SCHEDULERS[first - 1])
    makes_a_difference = False
    for scheduler in schedulers:
        if makes_a_difference and not THOROUGH:
            break

        def sampled(model, scheduler=scheduler):
            return s.sample(
                model, positive, latent, steps=STEPS, sampler=sampler, scheduler=scheduler
            )

        sigmas = comfy.samplers.KSampler(s.model, STEPS, "cpu", sampler, scheduler).sigmas.tolist()
        expected = sampled(
            bias_form(
                s, strength=STRENGTH, active=lambda sigma, last=sigmas[1]: sigma > last * 1.0001
            )
        )
        assert relative(sampled(s.ipca(strength=STRENGTH, end_at_step=1)), expected) < ROUNDING, (
            scheduler
        )
        makes_a_difference = (
            makes_a_difference or relative(sampled(s.model), expected) > 10 * ROUNDING
        )
    assert makes_a_difference, "or the comparison says nothing"


def test_flipped_sigmas_count_in_the_samplers_own_order(studio):
    """Flip Sigmas turns a run around: its first step is the one with the smallest sigma."""
    s = studio("small")
    positive, latent = s.story_batch()
    sigmas = comfy.samplers.calculate_sigmas(
        s.model.get_model_object("model_sampling"), "normal", 4
    ).flip(0)
    sigmas[0] = 0.0001

    def sample(model):
        guider = s.core("CFGGuider", model=model, positive=positive, negative=s.negative, cfg=4.0)
        noise = torch.zeros_like(latent["samples"])
        return guider.sample(
            noise,
            torch.ones_like(noise),
            comfy.samplers.sampler_object("euler"),
            sigmas,
            disable_pbar=True,
            seed=1,
        )

    on = sigmas[2:4].tolist()
    reference = bias_form(
        s, active=lambda sigma: any(abs(sigma - step) < 1e-3 * step for step in on)
    )
    ours, backwards = (
        sample(s.ipca(start_at_step=2, end_at_step=4)),
        sample(s.ipca(start_at_step=0, end_at_step=2)),
    )
    apart = min(relative(ours, other) for other in (backwards, sample(s.ipca()), sample(s.model)))
    assert relative(ours, sample(reference)) < apart / 50, (
        "a run away from the picture magnifies rounding"
    )
