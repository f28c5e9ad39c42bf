"""What a run's conditionings contain, apart from which frame each row is."""

import torch


def speaking(text: torch.Tensor) -> list[bool]:
    """Which rows of `text` [B, T, C] are not empty: Conditioning Zero Out keeps the record but
    removes the text.
    """
    said: list[bool] = text.flatten(1).any(dim=1).tolist()
    return said
