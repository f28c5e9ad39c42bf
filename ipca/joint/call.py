"""What one call of a transformer hands to its attention: decided once before the call, gone after it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...families import Family
from ..attention import dropout_kept
from ..schedule import Run
from ..settings import Settings
from .attention import counted_again
from .blocks import blocks_of, chosen_blocks

TOLD = {"double": 0, "single": 1}  # ComfyUI's block types: the first stage of a family, and the second


class JointCall:
    """An `optimized_attention_override` for one model call, round the one that was there.

    `runs` cover the `rows` of the batch, `columns` are the key columns that the runs name, counted from the end where the
    family's text stands last: how many keys the image has is the model's affair. Only calls in which every
    query is a key as well, text and whole image together, are joint: refiners and other attention pass by. Joint calls
    are counted, since some models do not tell which block is at work.
    """

    def __init__(
        self,
        transformer: Any,
        family: Family,
        settings: Settings,
        runs: tuple[Run, ...],
        columns: list[torch.Tensor],
        joint_length: int,
        step: int,
        around: Callable | None,
    ):
        self.settings, self.runs, self.columns, self.step, self.around = settings, runs, columns, step, around
        self.rows, self.text_last = runs[-1].stop, family.text_last
        self.joint_length = joint_length
        self.chosen = chosen_blocks(transformer, family, settings.blocks)
        self.blocks = blocks_of(transformer, family)
        self.stages = [stage for stage, _ in family.stages]
        self.calls = 0

    def __call__(
        self,
        func: Callable,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        heads: int,
        mask: torch.Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        axis = 2 if kwargs.get("skip_reshape") else 1

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
            if self.around is None:
                return func(q, k, v, heads, mask, *args, **kwargs)
            return self.around(func, q, k, v, heads, mask, *args, **kwargs)

        if not q.shape[axis] == k.shape[axis] >= self.joint_length:
            return attend(q, k, v, mask)
        block = self._block(kwargs.get("transformer_options") or {})
        if block not in self.chosen or q.shape[0] != self.rows:
            return attend(q, k, v, mask)
        parts = [self._attend_run(attend, run, q, k, v, mask, block, axis) for run in self.runs]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _attend_run(
        self,
        attend: Callable,
        run: Run,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None,
        block: int,
        axis: int,
    ) -> torch.Tensor:
        rows = slice(run.start, run.stop)
        if mask is not None and mask.ndim > 2 and mask.shape[0] == self.rows:
            mask = mask[rows]
        if not run.repeats:
            return attend(q[rows], k[rows], v[rows], mask)
        columns = self.columns[run.memory]
        if self.text_last:
            columns = columns + k.shape[axis]
        kept = self._kept(q.shape[axis], len(columns), block)
        return counted_again(attend, q[rows], k[rows], v[rows], mask, columns, self.settings.strength, kept, axis)

    def _kept(self, queries: int, keys: int, block: int) -> torch.Tensor | None:
        if self.settings.dropout == 0:
            return None
        return dropout_kept(queries, keys, self.settings.dropout, self.settings.dropout_seed, self.step, self.blocks[block])

    def _block(self, options: Mapping) -> int:
        """The running number of the block at work: told by ComfyUI, or counted. -1 for one that the table does not have."""
        self.calls += 1
        stage, number = TOLD.get(options.get("block_type", "")), options.get("block_index")
        if stage is None or number is None or stage >= len(self.stages):
            return self.calls - 1 if self.calls <= len(self.blocks) else -1
        told = (self.stages[stage], number)
        return self.blocks.index(told) if told in self.blocks else -1


def joint_length(transformer: Any, x: torch.Tensor, text: int) -> int:
    """How many tokens a joint call has at least, for latents `x` [B, C, .., H, W] and `text` columns: both parts, padded."""
    patch = getattr(transformer, "patch_size", 2)
    patch = patch[-1] if isinstance(patch, (tuple, list)) else patch
    multiple = getattr(transformer, "pad_tokens_multiple", None) or 1
    image = math.prod(x.shape[2:-2]) * math.ceil(x.shape[-2] / patch) * math.ceil(x.shape[-1] / patch)
    return sum(math.ceil(part / multiple) * multiple for part in (text, image))
