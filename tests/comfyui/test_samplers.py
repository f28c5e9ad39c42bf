"""KSampler's samplers and schedulers: IPCA in a range of steps, against the bias form at the same
sigmas.

Every sampler and every scheduler comes up here; `make fuzz` runs each with each.
"""

import os

import comfy.samplers
import pytest

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
