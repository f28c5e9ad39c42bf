"""Anima: the image reads the text in cross-attention, apart from itself.

q [B, heads, image, d]   k, v [B, heads, text, d]
"""

from dataclasses import replace
from typing import Any

from .override import MemoryCall


class CrossCall(MemoryCall):
    """One model call whose blocks have a call among the image's tokens, then one to the text."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.image = self.lengths.image
        self.lengths = replace(self.lengths, image=0)  # there are no keys but the text's
        self.square_calls = 0

    def _is_ours(self, queries: int, keys: int) -> bool:
        """In an image of as many tokens as the text, every second such call is to the text."""
        if (queries, keys) != (self.image, self.lengths.text):
            return False
        self.square_calls += queries == keys
        return queries != keys or self.square_calls % 2 == 0
