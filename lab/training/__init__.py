"""Training: the demo model, its vision and the judge, and writing the weights that ship."""

from pathlib import Path

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"  # not committed
