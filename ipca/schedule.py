"""When IPCA is on, and on which rows of the UNet's batch: decided once a UNet call, with one look at the device."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from ..log import warn_rarely

SIGMA_TOLERANCE = 1e-4


class Run(NamedTuple):
    """Neighbouring rows [start, stop) of the batch that attend alike.

    `repeats` 0: plain; r: with memory number `memory`, laid r times.
    """

    start: int
    stop: int
    repeats: int
    memory: int = 0


def step_of(sigma: torch.Tensor, sample_sigmas: torch.Tensor) -> torch.Tensor:
    """The step that `sigma` (0-dim) belongs to in a run's falling `sample_sigmas` [steps + 1]: 0-dim int64.

    It is the last step whose sigma is not below the given one, so what a sampler evaluates between two steps counts
    as the earlier one.
    """
    return (sample_sigmas[:-1] >= sigma * (1 - SIGMA_TOLERANCE)).sum().clamp(min=1) - 1


def sigmas_of_run(options: Mapping[str, Any], asks_for_steps: bool) -> torch.Tensor | None:
    """The run's falling sigmas [steps + 1] as the sampler tells them in `transformer_options`; None outside any sampling.

    A sampler that does not tell them (some packs' own) gives the call's sigma twice, so that every call counts as step 0:
    said where `asks_for_steps`, which is where it changes anything.
    """
    sigmas, told = options.get("sigmas"), options.get("sample_sigmas")
    if sigmas is None:
        return None
    if told is not None:
        return told.to(sigmas.device)
    if asks_for_steps:
        warn_rarely("IPCA Patch: this sampler does not tell its steps, so every step counts as step 0.")
    return sigmas[:1].repeat(2)


def positive_rows(rows: int, chunks: list, positive: int) -> list[bool]:
    """Rows of the chunks that are positive, for a UNet call outside any run that was seen to begin.

    The batch is chunk-major: `chunks` names each of its equal parts, `positive` is the name of a positive one.
    """
    if not chunks or rows % len(chunks):
        return [False] * rows
    return [chunk == positive for chunk in chunks for _ in range(rows // len(chunks))]


def runs_of(carries: list[int | None], repeated: list[int]) -> tuple[Run, ...]:
    """Group rows: `carries[row]` is the number of its memory or None, `repeated[row]` how often its tokens are repeated."""
    runs: list[Run] = []
    for row, (memory, count) in enumerate(zip(carries, repeated)):
        wanted = (0, 0) if memory is None else (count, memory)
        if runs and runs[-1][2:] == wanted:
            runs[-1] = runs[-1]._replace(stop=row + 1)
        else:
            runs.append(Run(row, row + 1, *wanted))
    return tuple(runs)
