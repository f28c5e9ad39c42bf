"""Batches of captions as the model is trained on them: rows of the cut token table, each row's
emphasis, and the pictures.

The emphasis is roughly what SVR does: the shown frame's rows are scaled up, those of other frames,
of characters that are not in it and of the end-of-text tokens down, so that the model learns to
read the magnitude of token embeddings.
"""

from functools import cache
from itertools import chain

import numpy as np
import torch

from ..world.captions import MAX_CAST, MAX_FRAMES, draw_story, vocabulary
from ..world.render import Attributes

TOKENS = 77
BEGIN, END = 49406, 49407
UNKNOWN = 0  # the token table's row for every word that it lacks
CASTS, ONE_FRAME, EMPTY = 0.4, 0.3, 0.1  # shares of the captions


class Captions:
    """Draws captions; `ids` are the tokens of the table's rows from 1 on."""

    def __init__(self, tokenizer, rng: np.random.Generator | None = None):
        self.rng, self.tokens = rng, cache(lambda text: tokenizer(text)["input_ids"][1:-1])
        ids = {token for text in vocabulary() for token in self.tokens(text)}
        self.ids = [BEGIN, END, *sorted(ids)]
        self.row = {token: 1 + index for index, token in enumerate(self.ids)}

    def draw(self) -> tuple[list[int], np.ndarray, int, dict]:
        """Token rows [77], emphasis [77], place of the end token, and the picture's attributes."""
        rng = self.rng
        cast = int(rng.integers(2, MAX_CAST + 1)) if rng.random() < CASTS else 1
        frames = 1 if rng.random() < ONE_FRAME else int(rng.integers(2, MAX_FRAMES + 1))
        story = draw_story(rng, frames, cast)
        phrases = [self.tokens(text) for text in story["phrases"]]
        phrases, shown = fitting(phrases, story["first"], story["shown"])
        lengths = [len(phrase) for phrase in phrases]
        emphasis = emphasise(rng, lengths, {*story["present"], shown}, shown)
        if rng.random() < EMPTY:
            phrases, emphasis = [], np.ones(TOKENS, dtype=np.float32)
        tokens = [BEGIN, *chain(*phrases)]
        rows = [self.row.get(token, UNKNOWN) for token in tokens]
        padding = [self.row[END]] * (TOKENS - len(rows))
        return rows + padding, emphasis, len(rows), story["picture"]

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Attributes]:
        rows, emphasis, ends, pictures = zip(*(self.draw() for _ in range(size)))
        factors = torch.from_numpy(np.stack(emphasis))
        return torch.tensor(rows), factors, torch.tensor(ends), Attributes.stack(pictures)


def fitting(phrases: list[list[int]], first: int, shown: int) -> tuple[list[list[int]], int]:
    """The phrases without as many frames (from place `first` on) as the prompt has no room for,
    never the shown one; its new place.
    """
    phrases = list(phrases)
    while sum(map(len, phrases)) > TOKENS - 2:
        drop = next(place for place in range(len(phrases) - 1, first - 1, -1) if place != shown)
        phrases.pop(drop)
        shown -= drop < shown
    return phrases, shown


def emphasise(rng: np.random.Generator, lengths: list[int], kept: set, shown: int) -> np.ndarray:
    """The factor of every row, float32 [77], of a caption whose phrases have these lengths: phrase
    `shown` is scaled up, those not in `kept` down; in some captions nothing is turned down.
    """
    emphasis = np.ones(TOKENS, dtype=np.float32)
    starts = np.cumsum([1, *lengths])
    end = starts[-1]
    if len(kept) < len(lengths):
        if rng.random() < 0.7:
            for phrase, (start, stop) in enumerate(zip(starts, starts[1:])):
                if phrase not in kept:
                    emphasis[start:stop] = rng.uniform(0, 0.6) * rng.random()
            emphasis[starts[shown] : starts[shown + 1]] = rng.uniform(0.95, 1.7)
            emphasis[end:] = rng.uniform(0, 0.05) if rng.random() < 0.75 else rng.uniform(0, 1)
    elif rng.random() < 0.15:  # a single frame that SVR has enhanced, or (word:1.3)
        emphasis[starts[shown] : end] = rng.uniform(0.8, 1.7)
        emphasis[end:] = rng.uniform(0, 1.2)
    return emphasis
