"""A story with a cast on models with a UNet: where the rows of each of its phrases are, and IPCA as
a bias on each frame's own cast.

None of this shares a line with the pack: it is what the pack is tested against.
"""

import math

import torch
from comfy.ldm.modules.attention import attention_basic

from bench.references import sites

COMMON, GIRL, DOG = "A watercolour picture of", "a girl with red braids", "a small brown dog"
IDENTITY = f"{COMMON}\n@girl: {GIRL}\n@dog: {DOG}"
FRAMES = [
    "@girl feeding ducks",
    "@dog chasing a ball",
    "@girl and @dog in the rain",
    "the street at night @nobody",
]
WORDS = [
    "girl feeding ducks",
    "dog chasing a ball",
    "girl and dog in the rain",
    "the street at night",
]
CASTS = [(1,), (2,), (1, 2), ()]


def count(s, text):
    tower = next(part for part in vars(s.clip.tokenizer).values() if hasattr(part, "tokenizer"))
    return len(tower.tokenizer(text)["input_ids"]) - 2


def spans(s, phrases):
    """Rows of each phrase, counted by the tokenizer itself."""
    found, at = [], 1
    for phrase in phrases:
        found.append(list(range(at, at + count(s, phrase))))
        at += len(found[-1])
    return found


def keys_of(s, cast):
    """Begin token, common text and the cast's rows."""
    common, girl, dog = spans(s, [COMMON, GIRL, DOG])
    return [0, *common, *(girl if 1 in cast else []), *(dog if 2 in cast else [])]


class CastBias:
    """Each frame's own cast as log(1 + strength) on its keys, in place of IPCA. Rows are known by
    their embeddings.
    """

    def __init__(self, s, positive, casts, strength=1.0):
        self.model, self.strength = s.model.clone(), strength
        self.keys = {
            row.numpy().tobytes(): keys_of(s, cast) for row, cast in zip(positive[0][0], casts)
        }
        self.length, self.seen, self.rows = positive[0][0].shape[1], None, []
        self.model.set_model_attn2_patch(self.find_rows)
        for place, number, index, _ in sites(self.model):
            self.model.set_model_attn2_replace(self.attend, place, number, index)

    def find_rows(self, n, context, value, extra_options):
        if context is not self.seen:  # every attn2 of a UNet call has the same
            self.seen, self.rows = (
                context,
                [
                    self.keys.get(row[: self.length].contiguous().numpy().tobytes(), [])
                    for row in context
                ],
            )
        extra_options["cast_keys"] = self.rows
        return n, context, value

    def attend(self, q, k, v, extra_options):
        bias = torch.zeros(q.shape[0], 1, 1, k.shape[1])
        for row, keys in enumerate(extra_options["cast_keys"]):
            for start in range(0, k.shape[1], self.length):
                bias[row, ..., [start + key for key in keys]] = math.log(1 + self.strength)
        return attention_basic(
            q, k, v, extra_options["n_heads"], mask=bias.expand(-1, -1, q.shape[1], -1)
        )


def bias_form(s, frames, casts=CASTS, **more):
    return CastBias(s, frames, casts, **more).model
