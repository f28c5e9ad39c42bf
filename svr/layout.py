"""Where each phrase of a prompt lies among the rows of a CLIP tower's encoding, exact by construction.

Other text encoders are in `prefixes.py`. A tower's tokens are what ComfyUI's `clip.tokenize(text, return_word_ids=True)`
gives for it: a list of chunks, each a list of (token, weight, word id). The token is an int, or a tensor where the text
said `embedding:name`. The word id is 0 for begin, end and padding tokens. Row r of the encoding belongs to token r of
the chunks laid end to end.
"""

from dataclasses import dataclass

import torch

Chunks = list[list[tuple]]


class PhrasesRunTogether(ValueError):
    """The prompt's tokens are not its phrases' tokens one after the other, so no span could be trusted."""

    def __init__(self, phrase: int):
        super().__init__(f"the tokens of phrase {phrase} change when the phrases are joined")
        self.phrase = phrase


@dataclass(frozen=True)
class Layout:
    """Rows of one encoder's encoding: of every phrase in order, of the begin tokens, and of all end-of-text tokens.

    End-of-text means in a CLIP tower the end token and everything after it up to the end of its chunk (also CLIP-G's
    padding with 0); in another encoder what its template puts behind the text, without padding.
    """

    phrases: tuple[tuple[int, ...], ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    def moved(self, by: int) -> "Layout":
        """The same layout where row 0 stands at `by`. Rows that come to stand before row 0 are no rows of the encoding."""

        def move(rows: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(row + by for row in rows if row + by >= 0)

        return Layout(tuple(map(move, self.phrases)), move(self.begins), move(self.ends))


def content(chunks: Chunks) -> list[tuple]:
    """The (token, weight) pairs that the text itself gave, in order, without begin, end and padding tokens."""
    return [(token, weight) for chunk in chunks for token, weight, word in chunk if word != 0]


def chunk_budget(chunks: Chunks) -> int:
    """How many content tokens fit one chunk: CLIP's 77 less the begin and the end token."""
    return len(chunks[0]) - 2


def lay_out(prompt: Chunks, phrases: list[Chunks]) -> Layout:
    """Find every phrase's rows in `prompt`, given each phrase tokenised alone.

    The prompt is the phrases joined by spaces, so its content must be theirs one after the other. Counting then gives
    the spans, whatever the texts say. Raises PhrasesRunTogether where the content differs: an unbalanced parenthesis
    changed how the text behind it is read.
    """
    whole = content(prompt)
    content_rows, begins, ends = _rows_by_kind(prompt)
    spans, start = [], 0
    for index, phrase in enumerate(phrases):
        alone = content(phrase)
        stop = start + len(alone)
        if not _same_tokens(whole[start:stop], alone):
            raise PhrasesRunTogether(index)
        spans.append(tuple(content_rows[start:stop]))
        start = stop
    if start != len(whole):
        raise PhrasesRunTogether(len(phrases) - 1)
    return Layout(tuple(spans), begins, ends)


def _rows_by_kind(chunks: Chunks) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    content_rows: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    row = 0
    for chunk in chunks:
        for position, (_, _, word) in enumerate(chunk):
            kind = content_rows if word != 0 else begins if position == 0 else ends
            kind.append(row)
            row += 1
    return content_rows, tuple(begins), tuple(ends)


def _same_tokens(left: list[tuple], right: list[tuple]) -> bool:
    return len(left) == len(right) and all(map(same_token, left, right))


def same_token(left: tuple, right: tuple) -> bool:
    """Whether two tokens (token, weight, ..) are the same; embeddings are compared by value."""
    (token_a, weight_a), (token_b, weight_b) = left[:2], right[:2]
    if weight_a != weight_b or torch.is_tensor(token_a) != torch.is_tensor(token_b):
        return False
    return torch.equal(token_a, token_b) if torch.is_tensor(token_a) else token_a == token_b
