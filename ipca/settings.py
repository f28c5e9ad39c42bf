"""What the artist chose at IPCA Patch, for UNets and transformers alike."""

from dataclasses import dataclass

import torch

from .attention import dropout_kept

LAST_STEP = 10000


@dataclass(frozen=True)
class Settings:
    """The node's choices but for `blocks`, which each side reads for its own model.

    Steps are counted in the run's own sigmas; `end_at_step` is the first one that is off.
    """

    start_at_step: int = 0
    end_at_step: int = LAST_STEP
    dropout: float = 0.0
    strength: float = 1.0
    dropout_seed: int = 0

    def is_on(self, step: int) -> bool:
        return self.strength != 0 and self.start_at_step <= step < self.end_at_step

    @property
    def needs_steps(self) -> bool:
        """Whether a call's step changes anything: otherwise it is not looked up on the device."""
        return self.strength != 0 and bool(
            self.start_at_step or self.dropout or self.end_at_step < LAST_STEP
        )

    @property
    def needs_mask(self) -> bool:
        """Whether the identity's keys are weighted by a mask: otherwise any attention back end will
        do.
        """
        return self.strength not in (0.0, 1.0) or (self.strength != 0 and self.dropout > 0)

    def kept(
        self, queries: int, keys: int, step: int, site: tuple[str | int, ...]
    ) -> torch.Tensor | None:
        """The dropout mask of a site at a step, bool [queries, keys]; None without dropout."""
        if self.dropout == 0:
            return None
        return dropout_kept(queries, keys, self.dropout, self.dropout_seed, step, site)
