"""What each row of a sampling run attends to, settled when the run begins.

A conditioning of the story carries whose its rows are (`story/rows.py`). `transformer_options["uuids"]` names the rows of
every model call by their conditionings, chunk after chunk.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from ..story.rows import rows_of
from .memory import Memories, Memory, recognised

T = TypeVar("T")
Conds = Mapping[str, list[dict] | None]


@dataclass(frozen=True)
class RunRows(Generic[T]):
    """`carried` has, by a conditioning's uuid, what each of its rows attends to; `roles` which uuids the guider had under which name."""

    carried: Mapping[uuid.UUID, tuple[T | None, ...]]
    roles: Mapping[str, frozenset]

    def of_call(self, uuids: Sequence, rows: int) -> list[T | None] | None:
        """What each of a call's `rows` attends to; None where a chunk is of a conditioning that the run did not begin with.

        ComfyUI repeats a conditioning's rows, or cuts them off, to fit the latent batch.
        """
        if not uuids or rows % len(uuids) or not all(each in self.carried for each in uuids):
            return None
        latents = rows // len(uuids)
        return [self.carried[each][latent % len(self.carried[each])] for each in uuids for latent in range(latents)]

    @property
    def is_empty(self) -> bool:
        """Whether no conditioning of the run came from the story."""
        return not any(what for rows in self.carried.values() for what in rows)


def run_rows(conds: Conds, carried_by: Callable[[dict], tuple[T | None, ...]]) -> RunRows[T]:
    """For every conditioning of a guider, by role: what `carried_by` finds that its rows attend to."""
    carried = {cond["uuid"]: carried_by(cond) for found in conds.values() for cond in found or ()}
    return RunRows(carried, {role: frozenset(cond["uuid"] for cond in found or ()) for role, found in conds.items()})


def memories_of_run(conds: Conds, memories: Memories) -> RunRows[Memory]:
    """The memories of a UNet's run. A conditioning that has lost whose its rows are is recognised by its embeddings, which a
    causal CLIP makes equal to the memory's. Where none of the run came from the story, every positive row gets the whole identity.
    """
    run = run_rows(conds, lambda cond: _memories_of(cond, memories))
    if not run.is_empty:
        return run
    whole = {cond["uuid"]: (memories.whole,) * len(run.carried[cond["uuid"]]) for cond in conds.get("positive") or ()}
    return RunRows({**run.carried, **whole}, run.roles)


def _memories_of(cond: dict, memories: Memories) -> tuple[Memory | None, ...]:
    text: torch.Tensor | None = cond.get("cross_attn")
    if text is None:
        return (None,)
    rows = rows_of(cond, len(text))
    if rows is None or any(memories.of(row) is None for row in rows):
        return tuple(recognised(text, memories.every()))
    return tuple(memories.of(row) if speaks else None for row, speaks in zip(rows, speaking(text)))


def speaking(text: torch.Tensor) -> list[bool]:
    """Which rows of `text` [B, T, C] say anything: Conditioning Zero Out keeps the dict's entry but takes the text away."""
    return text.flatten(1).any(dim=1).tolist()


def with_own_names(conds: Mapping[str, list[dict]], roles: Mapping[str, frozenset]) -> dict[str, list[dict]]:
    """The conditionings as ComfyUI has prepared them, none under another role's name.

    For a region of the positive ComfyUI gives the negative one that is as large: a copy of the positive's dict with the
    negative's text, under the positive's uuid. Here such a copy gets a uuid of its own.
    """
    known = frozenset().union(*roles.values())

    def named(role: str, cond: dict) -> dict:
        foreign = cond["uuid"] in known and cond["uuid"] not in roles.get(role, ())
        return {**cond, "uuid": uuid.uuid4()} if foreign else cond

    return {role: [named(role, cond) for cond in found] for role, found in conds.items()}
