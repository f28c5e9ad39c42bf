"""What torch.compile needs to know of IPCA.

Compiled code is used again as long as its guards hold, and newer cores drop every guard on
`transformer_options`, in which IPCA travels: a run with IPCA would use what was compiled for one
without, and the other way around. The keywords of a call are still guarded, so calls with IPCA have
one more. What decides and what attends is never compiled.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import torch

from .names import MARK

COMPILE_KEY = "torch.compile"  # under which ComfyUI's own node wraps apply_model


F = TypeVar("F", bound=Callable[..., Any])


def never_compiled(function: F) -> F:
    """A decorator: torch.compile leaves the function, and what it calls, as they are."""
    disable: Any = torch.compiler.disable
    return cast(F, disable(function))


def is_compiled(model: Any, options: Mapping[str, Any]) -> bool:
    """Whether a diffusion model is compiled as a whole, for a call with these
    transformer_options.
    """
    wrapped = COMPILE_KEY in options.get("wrappers", {}).get("apply_model", {})
    return wrapped or hasattr(model, "_orig_mod")


def mark(model: Any) -> dict[str, bool]:
    """The keyword for a call with IPCA of a compiled model; none where the model's forward would
    not take it.
    """
    parameters = inspect.signature(type(getattr(model, "_orig_mod", model)).forward).parameters
    takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return {MARK: True} if takes_more else {}
