"""Where each phrase of a prompt is among the positions of a CLIP tower's encoding, exact by
construction.

Other text encoders are in `prefixes.py`. A tower's tokens are what ComfyUI's `clip.tokenize(text,
return_word_ids=True)` gives for it: a list of chunks, each a list of (token, weight, word id). The
token is an int, or a tensor where the text said `embedding:name`. The word id is 0 for begin, end
and padding tokens. Position p of the encoding belongs to token p of the chunks joined end to end.
"""

from dataclasses import dataclass
from typing import Any

import torch

Token = tuple[Any, ...]  # (int or tensor, weight), or (.., word id)
Chunks = list[list[Token]]


class PhrasesRunTogether(ValueError):
    """The prompt's tokens are not its phrases' tokens one after the other, so no span could be
    trusted.
    """

    def __init__(self, phrase: int):
        super().__init__(f"the tokens of phrase {phrase} change when the phrases are joined")
        self.phrase = phrase


@dataclass(frozen=True)
class Layout:
    """Positions in one encoder's encoding: of every phrase in order, of the begin tokens, and of
    all end-of-text tokens.

    End-of-text means in a CLIP tower the end token and everything after it up to the end of its
    chunk (also CLIP-G's padding with 0); in another encoder what its template puts after the text,
    without padding.
    """

    phrases: tuple[tuple[int, ...], ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    def moved(self, by: int) -> "Layout":
        """The same layout where position 0 is at `by`. What comes before position 0 is not in the
        encoding.
        """

        def move(positions: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(position + by for position in positions if position + by >= 0)

        return Layout(tuple(map(move, self.phrases)), move(self.begins), move(self.ends))


def content(chunks: Chunks) -> list[Token]:
    """The (token, weight) pairs that the text itself gave, in order, without begin, end and padding
    tokens.
    """
    return [(token, weight) for chunk in chunks for token, weight, word in chunk if word != 0]


def chunk_budget(chunks: Chunks) -> int:
    """How many content tokens fit one chunk: CLIP's 77 less the begin and the end token."""
    return len(chunks[0]) - 2


def lay_out(prompt: Chunks, phrases: list[Chunks]) -> Layout:
    """Find every phrase's positions in `prompt`, given each phrase tokenised separately.

    The prompt is the phrases joined by spaces, so its content must be theirs one after the other.
    Counting then gives the spans, whatever the texts say. Raises PhrasesRunTogether where the
    content differs: an unbalanced parenthesis changed how the text after it is read.
    """
    whole = content(prompt)
    positions, begins, ends = _positions_by_kind(prompt)
    spans, start = [], 0
    for index, phrase in enumerate(phrases):
        own = content(phrase)
        stop = start + len(own)
        if not _same_tokens(whole[start:stop], own):
            raise PhrasesRunTogether(index)
        spans.append(tuple(positions[start:stop]))
        start = stop
    if start != len(whole):
        raise PhrasesRunTogether(len(phrases) - 1)
    return Layout(tuple(spans), begins, ends)


def _positions_by_kind(chunks: Chunks) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Of the text's own tokens, of the begin tokens and of the end tokens."""
    text: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    position = 0
    for chunk in chunks:
        for place, (_, _, word) in enumerate(chunk):
            kind = text if word != 0 else begins if place == 0 else ends
            kind.append(position)
            position += 1
    return text, tuple(begins), tuple(ends)


def _same_tokens(left: list[Token], right: list[Token]) -> bool:
    return len(left) == len(right) and all(map(same_token, left, right))


def same_token(left: Token, right: Token) -> bool:
    """Whether two tokens (token, weight, ..) are the same; embeddings are compared by value,
    pictures by identity.
    """
    (token_a, weight_a), (token_b, weight_b) = left[:2], right[:2]
    if weight_a != weight_b or torch.is_tensor(token_a) != torch.is_tensor(token_b):
        return False
    if isinstance(token_a, dict) and isinstance(token_b, dict):
        return token_a.get("data") is token_b.get("data")
    return torch.equal(token_a, token_b) if torch.is_tensor(token_a) else bool(token_a == token_b)
