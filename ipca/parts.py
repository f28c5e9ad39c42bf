"""Calls that another pack runs in parts: it has replaced the model's forward and gives each device
some of the rows.

By then the call's decision is taken, for all rows. So the numbers of the rows are passed to the
model, split as every other tensor of the batch, and each part is decided again by its own, with the
modules of its own copy of the model.
"""

from collections.abc import Callable
from typing import Any

import torch

from .names import CALL_KEY, KEY, NUMBERS, OVERRIDE

Options = dict[str, Any]
Decide = Callable[[Any, torch.Tensor, torch.Tensor, list[int]], Options]


def has_replaced_forward(model: Any) -> bool:
    """Whether a pack put a forward of its own on this very diffusion model."""
    return "forward" in vars(model)


def decided_by_part(options: Options, rows: int, decide: Decide) -> Options:
    """`options` of a call of so many rows with a DIFFUSION_MODEL wrapper of ours, which decides
    again for each part.

    `decide(model, x, text, numbers)` gives the options of a part, of which only ours are taken.
    """

    def around_part(
        executor: Any,
        x: torch.Tensor,
        t: torch.Tensor,
        context: torch.Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        (numbers,) = kwargs.pop(NUMBERS, (None,))
        if numbers is None or len(x) == rows:
            return executor(x, t, context, *args, **kwargs)
        own = decide(executor.class_obj, x, context, numbers.tolist())
        of_part = {key: _with_ours(value, own) for key, value in kwargs.items()}
        return executor(x, t, context, *(_with_ours(value, own) for value in args), **of_part)

    wrappers = dict(options.get("wrappers", {}))
    wrappers["diffusion_model"] = {**wrappers.get("diffusion_model", {}), KEY: [around_part]}
    return {**options, "wrappers": wrappers}


def _with_ours(value: Any, own: Options) -> Any:
    """The call's options with the part's decision in place of the call's; every other argument as
    it is.
    """
    if not isinstance(value, dict) or CALL_KEY not in value:
        return value
    theirs = {key: each for key, each in value.items() if key not in (CALL_KEY, OVERRIDE)}
    return {**theirs, **{key: own[key] for key in (CALL_KEY, OVERRIDE) if key in own}}
