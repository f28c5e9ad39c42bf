"""SVR's beta where a model loses an embedding's length: on the keys and values of the words.

In a UNet's cross-attention K = W_k x and V = W_v x are linear without a bias, so that SVR, which
multiplies a token's embedding x by beta, multiplies its key and its value by beta, and its logit
becomes beta q k / sqrt(d). A model that normalises x first reads the same whatever the beta. There
the product is taken last, after RoPE and the norm of keys: with f_j the factor of key j,

    k_j' = f_j k_j   v_j' = f_j v_j   out = softmax(q K'^T / sqrt(d)) V'

No mask is needed, so any attention back end keeps working. The factors are beta on the other
frames' words and on absent characters, enhance_beta on the frame's own, their products on the end
of text, and 1 elsewhere (`svr/reweight.py`).
"""

from collections.abc import Callable, Iterable
from copy import copy

import torch

from ..plan import RowGroup
from .positions import Positions

Factors = tuple[tuple[int, float], ...]


class Scaling:
    """The factors of one model call's rows, on `device`. Rows without factors keep their keys and
    values.

    `among_keys` gives a target's factors by their places among the keys, counted from the end where
    they are below 0.
    """

    def __init__(
        self,
        groups: Iterable[RowGroup[Positions]],
        among_keys: Callable[[Positions], Factors],
        device: torch.device,
    ):
        self.parts: list[tuple[slice, torch.Tensor, torch.Tensor]] = []
        made: dict[Positions, tuple[torch.Tensor, torch.Tensor]] = {}
        for group in groups:
            if group.target is None or not group.target.factors:
                continue
            if group.target not in made:
                positions, factors = zip(*among_keys(group.target))
                made[group.target] = (
                    torch.tensor(positions).to(device, non_blocking=True),
                    torch.tensor(factors, dtype=torch.float32).to(device, non_blocking=True),
                )
            self.parts.append((group.rows, *made[group.target]))

    def __bool__(self) -> bool:
        return bool(self.parts)

    def of(self, tensor: torch.Tensor, axis: int, from_end: bool = False) -> torch.Tensor:
        """Keys or values of all rows, their places on `axis`: a copy with the factors, or the same
        where there are none.
        """
        if not self.parts:
            return tensor
        out = tensor.clone()
        shape = [-1 if place == axis else 1 for place in range(tensor.ndim)]
        for rows, places, factors in self.parts:
            positions = places + tensor.shape[axis] if from_end else places
            chosen = tensor[rows].index_select(axis, positions) * factors.view(shape)
            out[rows].index_copy_(axis, positions, chosen.to(tensor.dtype))
        return out

    def moved(self, keys_at: Callable[[torch.Tensor], torch.Tensor]) -> "Scaling":
        """The same factors with every place among the text, int64 [n], where `keys_at` says that
        its key is.
        """
        moved = copy(self)
        moved.parts = [(rows, keys_at(places), factors) for rows, places, factors in self.parts]
        return moved
