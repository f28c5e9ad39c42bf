"""Our replace patch at one attn2, and the protocol by which it shares the place with other packs.

IPAdapter, PuLID and InstantID put an object with `.add(callback, **kwargs)` at a site and add to
whatever object is there; NAG and others put a function there that may wrap what it found. Every
additive neighbour's output is kept as it is and the memory's residual is added to it, so the sum
does not depend on who came first.
"""

from collections.abc import Callable
from typing import Any

import torch

from ..compiled import never_compiled
from ..names import CALL_KEY
from ..reports import ROWS_UNKNOWN_INSIDE, step_aside
from .call import Options, UNetCall, attention
from .nag import require_a_prompt_per_picture

Added = tuple[Callable[..., torch.Tensor], dict[str, Any]]


class IPCASite:
    """Callable as ComfyUI calls a replace patch: (q, k, v, extra_options) -> out, before `to_out`.

    Holds no weights and nothing of the story: which rows attend to which memory comes with each
    UNet call.
    `whole_block`: it is at the block's key (place, number), not at one transformer's (place,
        number, index).
    """

    def __init__(
        self,
        whole_block: bool,
        previous: Callable[..., torch.Tensor] | None = None,
        callbacks: tuple[Added, ...] | list[Added] = (),
    ):
        self.whole_block = whole_block
        self.previous = previous
        self.callbacks = list(callbacks)

    def add(self, callback: Callable[..., torch.Tensor], **kwargs: Any) -> None:
        """Host a neighbour's additive callback, as IPAdapter's own object at a site does."""
        self.callbacks.append((callback, kwargs))

    def copy(self) -> "IPCASite":
        return IPCASite(self.whole_block, self.previous, self.callbacks)

    def __deepcopy__(self, memo: dict[int, Any]) -> "IPCASite":
        # Cores that deep-copy patches at every clone would copy the neighbours' weights along with
        # us.
        return self.copy()

    @never_compiled
    def __call__(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        extra_options: Options,
        mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        call: UNetCall | None = extra_options.get(CALL_KEY)
        site = (*extra_options["block"], extra_options["block_index"])
        if (
            call is not None
            and (there := call.site_at(site)) is not self
            and isinstance(there, IPCASite)
        ):
            # Compiled code of one block may be used for another, and then calls the other block's
            # site.
            return there(q, k, v, extra_options, mask, **kwargs)
        on = call if call is not None and call.is_on(site) and _rows_are_known(call, q) else None
        previous = self.previous or self._hidden_neighbour(call, extra_options)
        deltas = self._active_callbacks(call, extra_options)
        if previous is None and not deltas and on is not None:
            require_a_prompt_per_picture(q, k)
            return on.attend(q, k, v, extra_options, site)

        if previous is None:
            require_a_prompt_per_picture(q, k)
            out = attention(q, k, v, mask, extra_options)
        else:
            # One residual is enough: a site of ours further in must not add it again.
            out = previous(q, k, v, {**extra_options, CALL_KEY: None})
        for callback, callback_kwargs in deltas:
            out = out + callback(out, q, k, v, extra_options, **callback_kwargs)
        if on is not None:
            out = out + on.residual(q, k, v, extra_options, site)
        return out.to(q.dtype)

    def _active_callbacks(self, call: UNetCall | None, extra_options: Options) -> list[Added]:
        def active(start: float, end: float) -> bool:
            if start >= ALWAYS_FROM and end <= 0:
                return True
            sigma = call.sigma if call is not None else float(extra_options["sigmas"][0])
            return end <= sigma <= start

        return [
            (callback, kwargs)
            for callback, kwargs in self.callbacks
            if active(kwargs.get("sigma_start", ALWAYS_FROM), kwargs.get("sigma_end", 0.0))
        ]

    def _hidden_neighbour(
        self, call: UNetCall | None, extra_options: Options
    ) -> Callable[..., torch.Tensor] | None:
        """A patch for the whole block under our transformer's key: ComfyUI prefers our key to its,
        so we run it.
        """
        if call is None or self.whole_block:
            return None
        return call.patches.get(tuple(extra_options["block"]))


ALWAYS_FROM = 1e8  # a sigma that no model reaches: how neighbours write "from the beginning"


def _rows_are_known(call: UNetCall, q: torch.Tensor) -> bool:
    if q.shape[0] == call.rows:
        return True
    step_aside(call.tally, ROWS_UNKNOWN_INSIDE)
    return False
