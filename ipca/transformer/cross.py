"""Anima: the image reads the text in cross-attention, apart from itself.

    q [B, heads, image, d]   k, v [B, heads, text, d]

The text does not depend on the image or the step, so that the identity's keys are a fixed memory,
as in a UNet.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .override import JointCall


class CrossCall(JointCall):
    """One model call whose blocks have a call among the image's tokens, then one to the text."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.image = self.lengths.image
        self.lengths = replace(self.lengths, image=0)  # there are no keys but the text's
        self.square_calls = 0

    def _is_ours(self, queries: int, keys: int) -> bool:
        if (queries, keys) != (self.image, self.lengths.text):
            return False
        if queries != keys:
            return True
        self.square_calls += (
            1  # an image of as many tokens as the text: every second is to the text
        )
        return self.square_calls % 2 == 0

    def _block(self, options: Mapping[str, Any]) -> int:
        """ComfyUI reports it under no stage."""
        number = options.get("block_index")
        return super()._block(options) if number is None else number
