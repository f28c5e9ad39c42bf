"""The memory: the identity prompt's own encoding, which K_id and V_id are projected from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from ..story.rows import Row

# Relative distance up to which two rows count as one. Rounding in half precision stays well below it, and the row of
# another word lies far above.
SAME_ROW = 0.02


@dataclass(frozen=True, eq=False)
class Memory:
    """`rows` [n, C] is what the image may attend to besides its frame; `prefix` [m, C] tells the story's conditioning.

    The prefix are the rows that stand at `places` of a story's prompt: begin token, common text and cast, as far as they
    lie in the first chunk.
    """

    rows: torch.Tensor
    prefix: torch.Tensor
    places: tuple[int, ...]

    def begins(self, context: torch.Tensor) -> torch.Tensor:
        """Which rows of a batch `context` [B, T, C] have the identity's embedding in its places: bool [B].

        A causal CLIP gives "identity" and "identity and more" equal identity rows, so this finds the conditioning that
        came from the story, wherever it stands in the batch. A begin token alone tells nothing: every prompt has one.
        """
        if len(self.places) < 2 or context.shape[1] <= self.places[-1] or context.shape[2] != self.prefix.shape[1]:
            return torch.zeros(context.shape[0], dtype=torch.bool, device=context.device)
        own = self.prefix.to(context, non_blocking=True).float()
        places = slice(len(self.places)) if self.places[-1] < len(self.places) else list(self.places)
        distance = (context[:, places].float() - own).norm(dim=-1)
        return (distance <= SAME_ROW * own.norm(dim=-1)).all(dim=-1)


@dataclass(frozen=True)
class Memories:
    """All that a story's frames remember. `by_cast[schedule]` has a Memory for every set of present identity phrases.

    Schedules are the ranges of a scheduled CLIP, one where it is not. `whole` is the memory of the whole identity.
    """

    identity: tuple[str, ...]
    whole: Memory
    by_cast: tuple[Mapping[tuple[int, ...], Memory], ...]

    def of(self, row: Row) -> Memory | None:
        """The memory of the frame that a row of a conditioning carries; None for another story's."""
        if row.identity != self.identity or row.schedule >= len(self.by_cast):
            return None
        return self.by_cast[row.schedule].get(row.present)

    def every(self) -> list[Memory]:
        """The larger first: a frame whose absent characters were not turned down looks like the whole cast's."""
        found = [memory for casts in self.by_cast for memory in casts.values()]
        return sorted(found, key=lambda memory: -len(memory.places))


def remember(embeds: torch.Tensor, identity: list[int], protect: bool, absent: Collection[int] = ()) -> Memory:
    """Make a Memory of the identity prompt's encoding `embeds` [T, C] and the rows of its begin and own tokens.

    With protection the end-of-text rows are left out, which is what the published identity mask removes. `absent` are
    rows of characters that are not in the frame's cast: left out as well. That is ours, not the paper's, and follows
    from its equation: a key that K_id lacks weighs 0 in the sum over the memory, and a causal encoder gives the other
    rows the same embedding in every frame, so the memory of a cast is the identity's less the rows of who is absent.
    """
    length = next((place for place, row in enumerate(identity) if place != row), len(identity))
    rows = [row for row in (identity if protect else range(len(embeds))) if row not in absent]
    places = tuple(row for row in rows if row < length)
    kept = embeds if len(rows) == len(embeds) else embeds[rows]
    return Memory(kept, kept[: len(places)], places)  # a view: the identity's rows are kept once


def recognised(context: torch.Tensor, memories: list[Memory]) -> list[Memory | None]:
    """The first of `memories` that each row of `context` [B, T, C] begins with, in one transfer from its device."""
    flags = torch.stack([memory.begins(context) for memory in memories]).tolist()
    return [next((memory for memory, found in zip(memories, row) if found), None) for row in zip(*flags)]


def repeats(context: torch.Tensor, shortest: int) -> torch.Tensor:
    """How often each row of `context` [B, T, C] repeats its whole token sequence: int64 [B], 1 where it does not.

    ComfyUI pads the shorter of cond and uncond by repeating it (comfy.conds.CONDCrossAttn), which leaves plain
    attention unchanged. One copy is at least `shortest` tokens long. The copies are equal to the last bit.
    """
    batch, length, width = context.shape
    found = torch.ones(batch, dtype=torch.int64, device=context.device)
    for count in range(2, length // shortest + 1):
        if length % count == 0:
            copies = context.reshape(batch, count, length // count, width)
            found = torch.where((copies == copies[:, :1]).flatten(1).all(dim=1), count, found)
    return found
