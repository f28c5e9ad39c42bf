"""Which memory each row of a sampling run attends to, settled when the run begins.

A conditioning of the story carries whose its rows are (`story/rows.py`). One that has lost it is recognised by its
embeddings, which a causal CLIP makes equal to the memory's. `transformer_options["uuids"]` then names the rows of every
UNet call by their conditionings, chunk after chunk.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..story.rows import rows_of
from .memory import Memories, Memory, recognised

Carried = tuple[Memory | None, ...]


@dataclass(frozen=True)
class RunRows:
    """`carried` has, by a conditioning's uuid, the memory of each of its rows; `roles` which uuids the guider had under which name."""

    carried: Mapping[uuid.UUID, Carried]
    roles: Mapping[str, frozenset]

    def of_call(self, uuids: Sequence, rows: int) -> list[Memory | None] | None:
        """The memory of each of a call's `rows`; None where a chunk is of a conditioning that the run did not begin with.

        ComfyUI repeats a conditioning's rows, or cuts them off, to fit the latent batch.
        """
        if not uuids or rows % len(uuids) or not all(each in self.carried for each in uuids):
            return None
        latents = rows // len(uuids)
        return [self.carried[each][latent % len(self.carried[each])] for each in uuids for latent in range(latents)]


def rows_of_run(conds: Mapping[str, list[dict] | None], memories: Memories) -> RunRows:
    """For every conditioning of a guider, by role: the memories of its rows.

    Where none of the run came from the story, every row of the positive ones gets the whole identity.
    """
    carried = {cond["uuid"]: _carried(cond, memories) for conds_of_role in conds.values() for cond in conds_of_role or ()}
    if not any(memory for rows in carried.values() for memory in rows):
        carried.update({cond["uuid"]: (memories.whole,) * len(carried[cond["uuid"]]) for cond in conds.get("positive") or ()})
    return RunRows(carried, {role: frozenset(cond["uuid"] for cond in found or ()) for role, found in conds.items()})


def _carried(cond: dict, memories: Memories) -> Carried:
    text: torch.Tensor | None = cond.get("cross_attn")
    if text is None:
        return (None,)
    rows = rows_of(cond, len(text))
    if rows is None or any(memories.of(row) is None for row in rows):
        return tuple(recognised(text, memories.every()))
    # Conditioning Zero Out keeps the entry but takes the text away.
    said = text.flatten(1).any(dim=1).tolist()
    return tuple(memories.of(row) if speaks else None for row, speaks in zip(rows, said))


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
