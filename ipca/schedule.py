"""Which step of a run a model call belongs to, in the run's own sigmas."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..log import warn_rarely

SIGMA_TOLERANCE = 1e-4


def step_of(sigma: float, sigmas: Sequence[float]) -> int:
    """The step that `sigma` belongs to in a run's `sigmas` (steps + 1 of them), which fall or,
    flipped, rise.

    It is the last step that the run has reached at this sigma, so what a sampler evaluates between
    two steps counts as the earlier one.
    """
    begins = sigmas[:-1]
    if sigmas[0] >= sigmas[-1]:
        reached = sum(begin >= sigma * (1 - SIGMA_TOLERANCE) for begin in begins)
    else:
        reached = sum(begin <= sigma * (1 + SIGMA_TOLERANCE) for begin in begins)
    return max(reached, 1) - 1


class Steps:
    """Finds a call's step, and reads the run's sigmas from the device once."""

    def __init__(self) -> None:
        self._read: tuple[torch.Tensor | None, list[float]] = None, []

    def step(self, options: Mapping[str, Any]) -> int:
        """The step of a call with these `transformer_options`: its sigma is read from the device
        once.

        0, and a warning, where the sampler does not report its sigmas (some packs' own samplers do
        not).
        """
        sigmas = options.get("sample_sigmas")
        if sigmas is None or options.get("sigmas") is None:
            warn_rarely(
                "IPCA Patch: this sampler does not report its steps, so every step counts as"
                " step 0."
            )
            return 0
        if sigmas is not self._read[0]:
            self._read = sigmas, sigmas.tolist()
        return step_of(float(options["sigmas"][0]), self._read[1])
