"""What one call of a transformer hands to its attention: decided once before the call, dropped
after it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention as core
import torch

from ...families import Family
from ..attention import Attend, counted_again
from ..backend import Probe, honouring_masks
from ..compiled import never_compiled
from ..names import CALL_KEY
from ..plan import RowGroup, Tally, groups_of
from ..reports import ROWS_UNKNOWN_INSIDE, step_aside
from ..settings import Settings
from .positions import Positions
from .scaled import Scaling

STAGE_OF = {
    "double": 0,
    "single": 1,
}  # ComfyUI's block types: a family's first stage, and its second


def joint_attention(func: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
    """The `optimized_attention_override` of every call with IPCA.

    One function for all: torch.compile traces it once, and what differs from call to call is looked
    up where nothing is traced.
    """
    return _attention_of_call(func, *args, **kwargs)


@never_compiled
def _attention_of_call(
    func: Callable[..., torch.Tensor],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    heads: int,
    mask: torch.Tensor | None = None,
    *args: Any,
    **kwargs: Any,
) -> torch.Tensor:
    call: JointCall | None = (kwargs.get("transformer_options") or {}).get(CALL_KEY)
    if call is None:
        return func(q, k, v, heads, mask, *args, **kwargs)
    return call.attend(func, q, k, v, heads, mask, *args, **kwargs)


class JointCall:
    """One model call: `targets` has one entry per row, `chosen` are the running numbers of the
    blocks in which the identity counts again. The text has `length` positions. Factors apply in
    every block.

    Only calls in which every query is a key as well, text and whole image together, are joint.
    Joint calls are counted, since some models do not report the current block. Factors apply in the
    family's refiner too, where the text attends to itself, or the other frames' words would be in
    the frame's own before the first joint call. Other attention is left as it is. `around` is the
    override of another pack, which ours wraps.
    """

    def __init__(
        self,
        family: Family,
        settings: Settings,
        blocks: list[tuple[str, int]],
        chosen: frozenset[int],
        targets: list[Positions | None],
        length: int,
        device: torch.device,
        lengths: "Lengths",
        step: int,
        around: Callable[..., torch.Tensor] | None,
        tally: Tally,
        probe: Probe,
    ):
        self.settings, self.blocks, self.chosen = settings, blocks, chosen
        self.lengths, self.step, self.around = lengths, step, around
        self.tally, self.probe = tally, probe
        self.rows, self.calls, self.text_calls = len(targets), 0, 0
        self.groups = groups_of([target and target.identity_alone for target in targets])
        before = lengths.before
        self.scaling = Scaling(
            groups_of(targets),
            lambda target: target.factors_among_keys(family, length, before),
            device,
        )
        self.stages = [stage for stage, _ in family.stages]
        self.text_last = family.text_last
        distinct = dict.fromkeys(group.target for group in self.groups if group.target)
        self.positions = {
            target: torch.tensor(target.among_keys(family, length, before)).to(
                device, non_blocking=True
            )
            for target in distinct
        }

    def attend(
        self,
        func: Callable[..., torch.Tensor],
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        heads: int,
        mask: torch.Tensor | None,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        axis = 2 if kwargs.get("skip_reshape") else 1

        def own(
            q: torch.Tensor,
            k: torch.Tensor,
            v: torch.Tensor,
            mask: torch.Tensor | None,
            **more: Any,
        ) -> torch.Tensor:
            if self.around is None:
                return func(q, k, v, heads, mask, *args, **kwargs, **more)
            return self.around(func, q, k, v, heads, mask, *args, **kwargs, **more)

        if not self._is_ours(q.shape[axis], k.shape[axis]):
            return own(q, k, v, mask)
        joint = k.shape[axis] >= self.lengths.joint
        block = self._block(kwargs.get("transformer_options") or {}) if joint else -1
        counts = block in self.chosen and any(group.target for group in self.groups)
        if not (counts or self.scaling) or not self._rows_are_known(q):
            return own(q, k, v, mask)
        k, v = (self.scaling.of(tensor, axis, from_end=self.text_last) for tensor in (k, v))
        self.tally.applied += joint
        if not counts:
            return own(q, k, v, mask)

        def pytorch(
            q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
        ) -> torch.Tensor:
            out: torch.Tensor = core.attention_pytorch(q, k, v, heads, mask, *args, **kwargs)
            return out

        ours: Attend = own
        if self.settings.needs_mask:
            ours = honouring_masks(own, pytorch, (func, self.around), self.probe)
        parts = [
            self._attend_group(ours if group.target else own, group, q, k, v, mask, block, axis)
            for group in self.groups
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _attend_group(
        self,
        attend: Attend,
        group: RowGroup[Positions],
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None,
        block: int,
        axis: int,
    ) -> torch.Tensor:
        rows = group.rows
        if mask is not None and mask.ndim > 2 and mask.shape[0] == self.rows:
            mask = mask[rows]
        if group.target is None:
            return attend(q[rows], k[rows], v[rows], mask)
        positions = self.positions[group.target]
        if self.text_last:  # counted from the end: how many keys the image has depends on the model
            positions = positions + k.shape[axis]
        settings = self.settings
        kept = settings.kept(q.shape[axis], len(positions), self.step, self.blocks[block])
        return counted_again(
            attend, q[rows], k[rows], v[rows], mask, positions, settings.strength, kept, axis
        )

    def _is_ours(self, queries: int, keys: int) -> bool:
        """Whether a call with so many is a joint one, or one of the refiner: as long as the text,
        and before any other that is.
        """
        if queries == keys >= self.lengths.joint:
            return True
        if not queries == keys == self.lengths.text:
            return False
        self.text_calls += 1
        return self.text_calls <= self.lengths.refiners

    def _block(self, options: Mapping[str, Any]) -> int:
        """The running number of the current block: reported by ComfyUI, or counted. -1 for one that
        the table does not have.
        """
        self.calls += 1
        stage, number = STAGE_OF.get(options.get("block_type", "")), options.get("block_index")
        if stage is None or number is None or stage >= len(self.stages):
            return self.calls - 1 if self.calls <= len(self.blocks) else -1
        at_work = (self.stages[stage], number)
        return self.blocks.index(at_work) if at_work in self.blocks else -1

    def _rows_are_known(self, q: torch.Tensor) -> bool:
        if q.shape[0] == self.rows:
            return True
        step_aside(self.tally, ROWS_UNKNOWN_INSIDE)
        return False


class MemoryCall(JointCall):
    """One model call in which the image reads a text that never reads the image: the identity's
    keys are a fixed memory, as in a UNet. ComfyUI reports its blocks by number, under no stage of
    the family's.
    """

    def _block(self, options: Mapping[str, Any]) -> int:
        number = options.get("block_index")
        return super()._block(options) if number is None else number


@dataclass(frozen=True)
class Lengths:
    """What identifies a model call's attention calls: how many tokens all texts and all images have
    at least, padded, and how many calls the refiners make before them with only the texts.
    `before` of the texts' tokens come before the prompt.
    """

    text: int
    image: int
    refiners: int
    before: int = 0

    @property
    def joint(self) -> int:
        return self.text + self.image


def lengths_of(
    transformer: Any, family: Family, x: torch.Tensor, text: int, given: Mapping[str, Any]
) -> Lengths:
    """Those of a call with latents `x` [B, C, .., H, W] and `text` positions; `given` are its other
    keywords.

    In a family with `texts_of_references` every one of ComfyUI's `ref_latents` has a text of its
    own before the prompt, of `ref_contexts` or else padding; the further `ref_contexts` are after
    the prompt.
    """
    patch = getattr(transformer, "patch_size", 2)
    patch = patch[-1] if isinstance(patch, (tuple, list)) else patch
    multiple = getattr(transformer, "pad_tokens_multiple", None) or 1

    def padded(tokens: int) -> int:
        return math.ceil(tokens / multiple) * multiple

    def tokens_of(latent: torch.Tensor) -> int:
        sides = (math.ceil(side / patch) for side in latent.shape[-2:])
        return padded(math.prod(latent.shape[2:-2]) * math.prod(sides))

    pictures = (given.get("ref_latents") or ()) if family.texts_of_references else ()
    texts = [padded(each.shape[1]) for each in given.get("ref_contexts") or ()] if pictures else []
    texts += [multiple] * (len(pictures) - len(texts))
    return Lengths(
        padded(text) + sum(texts),
        tokens_of(x) + sum(tokens_of(picture) for picture in pictures),
        len(getattr(transformer, family.refiner, ())) if family.refiner else 0,
        sum(texts[: len(pictures)]),
    )
