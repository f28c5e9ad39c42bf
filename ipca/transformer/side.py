"""IPCA on one transformer: which positions count again, on which rows and in which blocks.

No prompt of its own is encoded: the frame's prompt has the identity's keys already. So a
conditioning that has lost its record cannot be recognised and is left as it is.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import torch
from comfy.model_patcher import ModelPatcher

from ...errors import InputError
from ...families import ADAPTED_TEXT, ADAPTER_TOKENS, FAMILIES, SECOND_TEXT, Family, family_of
from ...log import warn_rarely
from ...story.rows import Row, rows_of
from ..names import CALL_KEY, OVERRIDE
from ..plan import Cond, Conds
from ..references import THROUGH_STORY_BATCH
from ..settings import Settings
from ..text import speaking
from ..wrappers import ModelCall
from .blocks import blocks_of, chosen_blocks
from .cross import CrossCall
from .override import JointCall, joint_attention, lengths_of
from .positions import Positions, positions_of
from .prefix import PrefixCall, prefix_of


@dataclass(frozen=True, eq=False)
class TransformerSide:
    """`identity` is the story's; `chosen` are the running numbers of the blocks with IPCA."""

    family: Family
    identity: tuple[str, ...]
    chosen: frozenset[int]
    settings: Settings

    def put_on(self, patched: ModelPatcher) -> None:
        """Nothing: the override goes around other packs' at every call, so that the order of nodes
        does not matter.
        """

    def require_own_attention(self, model: torch.nn.Module, guider: Any) -> None:
        """Nothing: where the batch is changed inside the model, a call steps aside by itself."""

    def targets(self, conds: Conds) -> dict[UUID, tuple[Positions | None, ...]]:
        targets = {
            cond["uuid"]: self._positions_of(cond) for found in conds.values() for cond in found
        }
        found = [each for rows in targets.values() for each in rows if each]
        if not self.family.reads_length and any(
            positions.frames > 1 and not positions.factors for positions in found
        ):
            warn_rarely(
                f"IPCA Patch: {self.family.name} normalises every token's length before it reads"
                " the text, but this prompt, which several frames share, carries no factors that"
                " turn the other frames' words down. If frames show each other's scenes, set SVR"
                " Reweight's mode to svr, with the CLIP of this model's own type, or window_length"
                " to 1."
            )
        if self.settings.strength and not any(positions.places for positions in found):
            warn_rarely(
                "IPCA Patch: no prompt of this run carries the positions of the story's identity,"
                " so nothing is strengthened. Connect the frames of SVR Reweight, of the same"
                " Story Prompt, through Story Batch to the sampler."
            )
        return targets

    def when_off(self, target: Positions) -> Positions | None:
        return target.factors_alone

    def options_for(self, call: ModelCall[Positions]) -> dict[str, Any]:
        """With an override for this call, around the one that is there.

        Some transformers run no DIFFUSION_MODEL wrapper, and other packs' nodes replace the
        override: so ours is put around theirs at every call.
        """
        first = next((target for target in call.targets if target), None)
        if first is None:
            return call.options
        unmade = call.given.get(ADAPTER_TOKENS[0])  # given where the adapter is still to read them
        length = call.text.shape[1] if unmade is None else adapted_length(unmade)
        arguments = (
            self.family,
            self.settings,
            blocks_of(call.model, self.family),
            self.chosen,
            call.targets,
            length,
            call.x.device,
            lengths_of(call.model, self.family, call.x, first.keys_of(length), call.given),
            call.step,
            call.options.get(OVERRIDE),
            call.tally,
            call.probe,
        )
        joint_call: JointCall
        if self.family.has_cross_attention:
            joint_call = CrossCall(*arguments)
        elif self.family.has_prefix:
            joint_call = PrefixCall(prefix_of(call.x, length, call.given), *arguments)
        else:
            joint_call = JointCall(*arguments)
        return {**call.options, OVERRIDE: joint_attention, CALL_KEY: joint_call}

    def _positions_of(self, cond: Cond) -> tuple[Positions | None, ...]:
        text: torch.Tensor | None = cond.get("cross_attn")
        rows = None if text is None else rows_of(cond, len(text))
        if text is None or rows is None:
            return (None,)
        second: torch.Tensor | None = cond.get(SECOND_TEXT)
        lengths = self._positions_in(cond, text), 0 if second is None else second.shape[2]

        def of(row: Row, speaks: bool) -> Positions | None:
            if not (
                speaks or not row.phrases
            ):  # without T5 there is no first text, and only the second counts
                return None
            counts = self.settings.strength != 0 and row.identity == self.identity
            return positions_of(row, *lengths, self.family.second_times, counts)

        return tuple(of(row, speaks) for row, speaks in zip(rows, speaking(text)))

    def _positions_in(self, cond: Cond, text: torch.Tensor) -> int:
        """How many positions of the text attention sees; 0 where an adapter has nothing to make
        them of. InputError for several rows, which ComfyUI's adapter cannot read at once.
        """
        if not self.family.has_cross_attention:
            return text.shape[1]
        tokens: torch.Tensor | None = cond.get(ADAPTER_TOKENS[0])
        if tokens is not None and len(text) > 1:
            problem = f"{self.family.name} reads one frame at a time"
            raise InputError("story", problem, THROUGH_STORY_BATCH)
        return 0 if tokens is None else adapted_length(tokens)


def adapted_length(tokens: torch.Tensor) -> int:
    """How many positions an adapter makes of `tokens` [.., T], the padding included."""
    return max(tokens.shape[-1], ADAPTED_TEXT)


def family_of_model(model: ModelPatcher) -> Family:
    """The family that the table has for this MODEL. InputError for what the pack does not know."""
    transformer = model.get_model_object("diffusion_model")
    family = family_of(type(model.model).__name__, transformer)
    if family is None:
        raise InputError(
            "model",
            f"{type(model.model).__name__} ({type(transformer).__name__}) has neither a UNet with"
            " text cross-attention nor a supported joint attention",
            "Use an SDXL, SD1.x or SD2.x checkpoint, or one of"
            f" {', '.join(family.name for family in FAMILIES)}",
        )
    return family


def chosen_on(model: ModelPatcher, family: Family, blocks: str) -> frozenset[int]:
    """The running numbers of the blocks that the node's text names. InputError where it names
    none.
    """
    return chosen_blocks(model.get_model_object("diffusion_model"), family, blocks)
