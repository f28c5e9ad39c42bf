"""The memory: the identity prompt's own encoding, which K_id and V_id are projected from."""

from dataclasses import dataclass

import torch

# Relative distance up to which two rows count as one. Rounding in half precision stays well below it, and the row of
# another word lies far above.
SAME_ROW = 0.02


@dataclass(frozen=True)
class Memory:
    """`rows` [n, C] is what the image may attend to besides its frame; `prefix` [m, C] tells the story's conditioning.

    The prefix is the beginning of the identity's encoding: begin token and identity tokens of the first chunk.
    """

    rows: torch.Tensor
    prefix: torch.Tensor

    def begins(self, context: torch.Tensor) -> torch.Tensor:
        """Which rows of a batch `context` [B, T, C] begin with the identity's embedding: bool [B].

        A causal CLIP gives "identity" and "identity and more" equal identity rows, so this finds the conditioning that
        came from the story, wherever it stands in the batch.
        """
        length, width = self.prefix.shape
        if context.shape[1] < length or context.shape[2] != width:
            return torch.zeros(context.shape[0], dtype=torch.bool, device=context.device)
        own = self.prefix.to(context, non_blocking=True).float()
        distance = (context[:, :length].float() - own).norm(dim=-1)
        return (distance <= SAME_ROW * own.norm(dim=-1)).all(dim=-1)


def remember(embeds: torch.Tensor, identity: list[int], protect: bool) -> Memory:
    """Make a Memory of the identity prompt's encoding `embeds` [T, C] and the rows of its begin and own tokens.

    With protection the end-of-text rows are left out, which is what the published identity mask removes.
    """
    length = next((place for place, row in enumerate(identity) if place != row), len(identity))
    rows = embeds[identity] if protect else embeds
    return Memory(rows, prefix=rows[:length])  # a view: the identity's rows are kept once


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
