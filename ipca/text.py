"""What a run's conditionings say, apart from whose they are."""

import torch


def speaking(text: torch.Tensor) -> list[bool]:
    """Which rows of `text` [B, T, C] say anything: Conditioning Zero Out keeps the record but takes
    the text away.
    """
    said: list[bool] = text.flatten(1).any(dim=1).tolist()
    return said
