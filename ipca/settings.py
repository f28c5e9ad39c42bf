"""What the artist chose at IPCA Patch, for UNets and transformers alike."""

from dataclasses import dataclass

LAST_STEP = 10000


@dataclass(frozen=True)
class Settings:
    """The node's choices. Steps are counted in the run's own sigmas; `end_at_step` is the first one that is off."""

    blocks: str = "all"
    start_at_step: int = 0
    end_at_step: int = LAST_STEP
    dropout: float = 0.0
    strength: float = 1.0
    dropout_seed: int = 0

    def is_on(self, step: int) -> bool:
        return self.start_at_step <= step < self.end_at_step

    @property
    def asks_for_steps(self) -> bool:
        """Whether a call's step changes anything: otherwise it need not be looked up on the device."""
        return bool(self.start_at_step or self.dropout or self.end_at_step < LAST_STEP)
