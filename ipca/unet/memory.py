"""The memory: the identity prompt's own encoding, from which K_id and V_id are projected."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from ...story.rows import Row

# Relative distance up to which two embeddings count as one. Rounding in half precision stays well
# below it, and the embedding of another word is far above.
SAME = 0.02


@dataclass(frozen=True, eq=False)
class Memory:
    """`embeds` [n, C] is what the image may attend to besides its frame; `prefix` [m, C] identifies
    the story's conditioning.

    The prefix is what is found at `positions` of a story's prompt: begin token, common text and
    cast, as far as they are in the first chunk.
    """

    embeds: torch.Tensor
    prefix: torch.Tensor
    positions: tuple[int, ...]

    def begins(self, text: torch.Tensor) -> torch.Tensor:
        """Which rows of `text` [B, T, C] have the identity's embeddings in its positions: bool [B].

        A causal CLIP gives "identity" and "identity and more" equal identity embeddings, so this
        finds a conditioning of the story that has lost its record. A begin token identifies
        nothing: every prompt has one.
        """
        found = (
            len(self.positions) > 1
            and text.shape[1] > self.positions[-1]
            and text.shape[2] == self.prefix.shape[1]
        )
        if not found:
            return torch.zeros(text.shape[0], dtype=torch.bool, device=text.device)
        own = self.prefix.to(text, non_blocking=True).float()
        together = self.positions[-1] < len(self.positions)
        positions = slice(len(self.positions)) if together else list(self.positions)
        distance = (text[:, positions].float() - own).norm(dim=-1)
        same: torch.Tensor = distance <= SAME * own.norm(dim=-1)
        return same.all(dim=-1)


@dataclass(frozen=True)
class Memories:
    """All that a story's frames remember. `by_cast[schedule]` has a Memory for every set of present
    identity phrases.

    Schedules are the ranges of a scheduled CLIP, one where it is not. `whole` is the memory of the
    whole identity.
    """

    identity: tuple[str, ...]
    whole: Memory
    by_cast: tuple[Mapping[tuple[int, ...], Memory], ...]

    def of(self, row: Row) -> Memory | None:
        """The memory of the frame that a row of a conditioning carries; None for another
        story's.
        """
        if row.identity != self.identity or row.schedule >= len(self.by_cast):
            return None
        return self.by_cast[row.schedule].get(row.present)

    def every(self) -> list[Memory]:
        """The larger first: a frame whose absent characters were not turned down looks like the
        whole cast's.
        """
        found = [memory for casts in self.by_cast for memory in casts.values()]
        return sorted(found, key=lambda memory: -len(memory.positions))


def remember(
    embeds: torch.Tensor, identity: list[int], protect: bool, absent: Collection[int] = ()
) -> Memory:
    """Make a Memory of the identity prompt's encoding `embeds` [T, C]; `identity` are its begin and
    own positions.

    With protection the end of the text is left out, which is what the published identity mask
    removes. `absent` are positions of characters that are not in the frame's cast: left out as
    well. That is ours, not the paper's, and follows from its equation: a key that K_id lacks weighs
    0 in the sum over the memory, and a causal encoder gives the other positions the same embedding
    in every frame, so the memory of a cast is the identity's without the absent characters' rows.
    """
    length = next(
        (place for place, position in enumerate(identity) if place != position), len(identity)
    )
    kept = [
        position
        for position in (identity if protect else range(len(embeds)))
        if position not in absent
    ]
    positions = tuple(position for position in kept if position < length)
    remembered = embeds if len(kept) == len(embeds) else embeds[kept]
    return Memory(remembered, remembered[: len(positions)], positions)  # a view: kept once


def recognised(text: torch.Tensor, memories: list[Memory]) -> list[Memory | None]:
    """The first of `memories` that each row of `text` [B, T, C] begins with, in one transfer from
    its device.
    """
    flags = torch.stack([memory.begins(text) for memory in memories]).tolist()
    return [
        next((memory for memory, found in zip(memories, row) if found), None) for row in zip(*flags)
    ]


def repeats(text: torch.Tensor, shortest: int) -> list[int]:
    """How often each row of `text` [B, T, C] repeats its whole token sequence: 1 where it does not.

    SVR Reweight brings prompts of different lengths to one by repeating them, as ComfyUI does with
    cond and uncond (comfy.conds.CONDCrossAttn), which leaves plain attention unchanged. One copy is
    at least `shortest` tokens long. The copies are equal to the last bit.
    """
    batch, length, width = text.shape
    found = torch.ones(batch, dtype=torch.int64, device=text.device)
    for count in range(2, length // shortest + 1):
        if length % count == 0:
            copies = text.reshape(batch, count, length // count, width)
            same = (copies == copies[:, :1]).flatten(1).all(dim=1)
            found = torch.where(same, count, found)
    counts: list[int] = found.tolist()
    return counts
