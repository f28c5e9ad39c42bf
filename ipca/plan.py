"""What every batch row of a sampling run attends to, decided when the run begins.

A row's *target* is what it attends to besides its own prompt: a memory in a UNet, positions in a
transformer. Targets are numbered from 1; 0 is none. Every conditioning of the run is given one more
model conditioning, the numbers of its rows. ComfyUI repeats, cuts and joins that tensor exactly as
it does the text, and so do other packs that tile, split or window the batch, so a number always
travels with its own row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import torch

from .backend import Probe
from .names import NUMBERS
from .schedule import Steps

T = TypeVar("T")
Cond = dict[str, Any]  # a conditioning as ComfyUI's guiders hold it
Conds = Mapping[str, Sequence[Cond]]  # by role: positive, negative, ..


@dataclass(frozen=True)
class RowGroup(Generic[T]):
    """Neighbouring rows [start, stop) of a batch that have the same target; None: they attend as if
    nothing were installed.
    """

    start: int
    stop: int
    target: T | None

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop)


@dataclass
class Tally:
    """What a run has seen so far: calls in which IPCA was due, calls in which it was applied,
    whether it stepped aside.
    """

    due: int = 0
    applied: int = 0
    stepped_aside: bool = False


@dataclass(frozen=True, eq=False)
class Plan(Generic[T]):
    """One run: its `targets`, number n being targets[n - 1], and how many `latents` it samples at
    once.

    `by_uuid` has the numbers of each prepared conditioning, for calls in which another pack has
    dropped them.
    """

    targets: tuple[T, ...]
    latents: int
    by_uuid: dict[UUID, tuple[int, ...]] = field(default_factory=dict)
    steps: Steps = field(default_factory=Steps)
    tally: Tally = field(default_factory=Tally)
    probe: Probe = field(default_factory=Probe)

    def numbers_of_call(
        self, given: torch.Tensor | None, uuids: Sequence[UUID], rows: int
    ) -> list[int] | None:
        """The number of each of a call's `rows`; None if they cannot be known.

        `given` is what travelled with the batch. Without it, `uuids` name the conditionings chunk
        after chunk, which holds only where the batch still has one row per chunk and latent. A
        conditioning that the run did not begin with has no targets.
        """
        if given is not None and len(given) == rows:
            numbers: list[int] = given.tolist()
            return numbers
        chunks = [self.by_uuid.get(uuid, (0,)) for uuid in uuids]
        if not any(any(chunk) for chunk in chunks):
            return [0] * rows
        if given is not None or rows != len(chunks) * self.latents:
            return None
        return [chunk[latent % len(chunk)] for chunk in chunks for latent in range(self.latents)]

    def targets_of(self, numbers: Iterable[int]) -> list[T | None]:
        return [self.targets[number - 1] if number else None for number in numbers]


def numbered(
    targets: Mapping[UUID, Sequence[T | None]],
) -> tuple[tuple[T, ...], dict[UUID, list[int]]]:
    """The distinct targets of a run, and the numbers of every conditioning's rows by its uuid."""
    distinct = list(
        dict.fromkeys(each for rows in targets.values() for each in rows if each is not None)
    )
    number_of = {target: number for number, target in enumerate(distinct, 1)}
    numbers = {
        uuid: [0 if each is None else number_of[each] for each in rows]
        for uuid, rows in targets.items()
    }
    return tuple(distinct), numbers


def under_own_names(conds: Conds, plan: Plan[T]) -> dict[str, list[Cond]]:
    """Prepared conditionings, each under a uuid of its own, whose numbers the plan then knows.

    For a region of the positive, ComfyUI gives the negative one of the same size: a copy of the
    positive's dict, uuid included, with the negative's model conditionings.
    """

    def named(cond: Cond) -> Cond:
        if cond["uuid"] in plan.by_uuid:
            cond = {**cond, "uuid": uuid4()}
        numbers = cond["model_conds"].get(NUMBERS)
        plan.by_uuid[cond["uuid"]] = (0,) if numbers is None else tuple(numbers.cond.tolist())
        return cond

    return {role: [named(cond) for cond in found] for role, found in conds.items()}


def groups_of(targets: Sequence[T | None]) -> tuple[RowGroup[T], ...]:
    """Neighbouring rows with the same target, as groups."""
    groups: list[RowGroup[T]] = []
    for row, target in enumerate(targets):
        if groups and groups[-1].target == target:
            groups[-1] = replace(groups[-1], stop=row + 1)
        else:
            groups.append(RowGroup(row, row + 1, target))
    return tuple(groups)
