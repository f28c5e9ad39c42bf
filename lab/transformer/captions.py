"""What the lab's transformer is trained on: captions of the world as they are, embedded by the demo
model's text encoder, and their pictures. Nothing in them is scaled.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import chain

import numpy as np
import torch

from demo.model import load_demo_model

from ..training.captions import BEGIN, END, fitting
from ..world.captions import MAX_CAST, MAX_FRAMES, draw_story
from ..world.render import Attributes

EMPTY = 0.10  # share of the captions without a word
# Shares of those with a cast, half of them of several frames, and of those of several frames
# without a cast: few at first, for words are learnt fastest from captions of one scene.
SIMPLE = 20_000  # images
AT_FIRST, LATER = (0.10, 0.05), (0.25, 0.10)
# Texts are filled up with end tokens, 1 to 4 of them, so that a batch has one length.
ROUND = 4


class Encoder:
    """The demo model's text encoder, frozen: token ids to embeddings."""

    def __init__(self, where: torch.device):
        clip = load_demo_model()[1]
        tokenizer = clip.tokenizer.clip_l.tokenizer
        # Token ids of a text, without begin and end.
        self.tokens = cache(lambda text: tokenizer(text)["input_ids"][1:-1])
        self.text = clip.cond_stage_model.clip_l.transformer.to(where).requires_grad_(False)
        embeddings = self.text.text_model.embeddings
        self.table = embeddings.token_embedding.weight
        self.places = embeddings.position_embedding.weight
        self.all_places = self.places.data

    @torch.no_grad()
    def __call__(self, texts: list[list[int]]) -> torch.Tensor:
        """Embeddings [texts, tokens, width] of texts of one length, with begin and end tokens."""
        embeds = self.table[torch.tensor(texts, device=self.table.device)]
        # It reads from left to right, so no text needs the padding to 77 tokens.
        self.places.data = self.all_places[: embeds.shape[1]]
        ends = [text.index(END) + 1 for text in texts]
        hidden: torch.Tensor = self.text(None, None, embeds=embeds, num_tokens=ends)[0]
        return hidden.float()


class Captions:
    """Draws texts and what their pictures show, in batches of one length."""

    def __init__(self, encoder: Encoder, rng: np.random.Generator):
        self.encoder, self.rng, self.seen = encoder, rng, 0

    def draw(self) -> tuple[list[int], dict]:
        """Token ids of a caption, and its picture's attributes."""
        rng, share = self.rng, self.rng.random()
        casts, frames = AT_FIRST if self.seen < SIMPLE else LATER
        cast = int(rng.integers(2, MAX_CAST + 1)) if share < casts else 1
        several = share < casts / 2 or casts <= share < casts + frames
        story = draw_story(rng, int(rng.integers(2, MAX_FRAMES + 1)) if several else 1, cast)
        tokens = [self.encoder.tokens(text) for text in story["phrases"]]
        phrases, _ = fitting(tokens, story["first"], story["shown"])
        words = [] if rng.random() < EMPTY else chain(*phrases)
        return [BEGIN, *words, END], story["picture"]

    def batches(self, size: int) -> Iterator[tuple[list[list[int]], Attributes]]:
        """Without end. A text waits until as many of its length are there."""
        waiting: dict[int, list] = defaultdict(list)
        while True:
            text, picture = self.draw()
            length = -(-len(text) // ROUND) * ROUND
            waiting[length].append((text + [END] * (length - len(text)), picture))
            if len(waiting[length]) == size:
                texts, pictures = zip(*waiting.pop(length))
                yield list(texts), Attributes.stack(pictures)
