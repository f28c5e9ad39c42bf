"""Our replace patch at one attn2, and the protocol by which it shares the place with other packs.

IPAdapter, PuLID and InstantID put an object with `.add(callback, **kwargs)` at a site and add to whatever object is
there; NAG and others put a function there that may wrap what it found. Every additive neighbour's output is kept as it
is and the memory's residual is added to it, so the sum does not depend on who came first.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..log import warn_rarely
from .call import Attention, Call

CALL_KEY = "one_prompt_one_story.ipca_call"


class IPCASite:
    """Callable as ComfyUI calls a replace patch: (q, k, v, extra_options) -> out, before `to_out`.

    Holds no weights and nothing of the story: which rows attend to which memory comes with each UNet call.
    `whole_block`: it stands at the block's key (place, number), not at one transformer's (place, number, index).
    """

    def __init__(self, attention: Attention, whole_block: bool, previous: Callable | None = None, callbacks: tuple | list = ()):
        self.attention = attention
        self.whole_block = whole_block
        self.previous = previous
        self.callbacks = list(callbacks)

    def add(self, callback: Callable, **kwargs: Any) -> None:
        """Host a neighbour's additive callback, as IPAdapter's own object at a site does."""
        self.callbacks.append((callback, kwargs))

    def copy(self) -> "IPCASite":
        return IPCASite(self.attention, self.whole_block, self.previous, self.callbacks)

    def __deepcopy__(self, memo: dict) -> "IPCASite":
        # Cores that deep-copy patches at every clone would copy the neighbours' weights along with us.
        return self.copy()

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: Mapping, mask: torch.Tensor | None = None, **kwargs: Any
    ) -> torch.Tensor:
        call: Call | None = extra_options.get(CALL_KEY)
        site = (*extra_options["block"], extra_options["block_index"])
        on = call if call is not None and call.is_on(site) and self._rows_are_known(call, q) else None
        previous = self.previous or self._hidden_neighbour(call, extra_options)
        deltas = self._active_callbacks(call, extra_options)
        if previous is None and not deltas and on is not None:
            return on.attend(q, k, v, self.attention, extra_options, site)

        if previous is None:
            out = self.attention(q, k, v, mask, extra_options)
        else:
            # One residual is enough: a site of ours further in must not add it again.
            out = previous(q, k, v, {**extra_options, CALL_KEY: None})
        for callback, callback_kwargs in deltas:
            out = out + callback(out, q, k, v, extra_options, **callback_kwargs)
        if on is not None:
            out = out + on.residual(q, k, v, self.attention, extra_options, site)
        return out.to(q.dtype)

    def _active_callbacks(self, call: Call | None, extra_options: Mapping) -> list[tuple]:
        if not self.callbacks:
            return []
        sigma = call.sigma if call is not None else float(extra_options["sigmas"][0])
        return [
            (callback, kwargs)
            for callback, kwargs in self.callbacks
            if kwargs.get("sigma_end", 0.0) <= sigma <= kwargs.get("sigma_start", float("inf"))
        ]

    def _hidden_neighbour(self, call: Call | None, extra_options: Mapping) -> Callable | None:
        """A patch for the whole block under our transformer's key: ComfyUI prefers our key to its, so we run it."""
        if call is None or self.whole_block:
            return None
        return call.patches.get(tuple(extra_options["block"]))

    def _rows_are_known(self, call: Call, q: torch.Tensor) -> bool:
        if q.shape[0] == call.rows:
            return True
        warn_rarely(
            "IPCA Patch: another node changed the batch inside the UNet (attention couple?), so its rows cannot be "
            "told apart. The identity is not strengthened there; put that node on a branch without IPCA Patch."
        )
        return False
