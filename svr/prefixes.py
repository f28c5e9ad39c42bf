"""Where each phrase is among the tokens of a T5 or a language model, whose tokens of a phrase
depend on what is before it.

" fox" inside a text and "fox" at its beginning are other tokens there, and there is a template
around the text. So the prompt is cut where its own beginnings end: the tokens of "A", of "A B", ..
and what they share with the whole's.
"""

from collections.abc import Iterable

from .layout import Chunks, Layout, Token, same_token


class TemplateLost(ValueError):
    """The prompt's tokens do not hold the encoder's own template, so the text cannot be found in
    them.
    """


def lay_out_by_prefixes(
    prompt: Chunks, prefixes: list[Chunks], empty: Chunks, padding: int | None
) -> tuple[Layout, list[int]]:
    """The layout of `prompt`, positions counted in its tokens, and the phrases whose end is read
    together with the next.

    `prefixes` are the tokens of its first phrase, of its first two, .. and so on without the last;
    `empty` are those of the empty text, the template alone; `padding` is the id of padding tokens.
    A token that belongs to two phrases goes to the later one. Raises TemplateLost.
    """
    whole, first = _unpadded(prompt, padding)
    template, _ = _unpadded(empty, padding)
    start = _common(whole, template)
    behind = template[start:]
    if len(behind) > 1 and _common(reversed(whole[start:]), reversed(behind)) == len(behind) - 1:
        behind = behind[
            1:
        ]  # a template's last space, which is one token with the text's first word
    stop = len(whole) - len(behind)
    _require_template(whole[start:], behind)

    borders, run_together = [start], []
    for phrase, tokens in enumerate(prefixes):
        prefix, _ = _unpadded(tokens, padding)
        _require_template(prefix[start:], behind)
        own = prefix[start : len(prefix) - len(behind)]
        shared = _common(whole[start:stop], own)
        if shared < len(own):
            run_together.append(phrase)
        borders.append(max(start + shared, borders[-1]))
    borders.append(stop)

    phrases = tuple(tuple(range(a + first, b + first)) for a, b in zip(borders, borders[1:]))
    begins = tuple(place + first for place, (_, _, word) in enumerate(whole[:start]) if word == 0)
    return Layout(phrases, begins, tuple(range(stop + first, len(whole) + first))), run_together


def _unpadded(chunks: Chunks, padding: int | None) -> tuple[list[Token], int]:
    """The tokens between the padding on either side, and how many there are before them."""
    tokens = [token for chunk in chunks for token in chunk]
    padded = [
        word == 0 and isinstance(token, int) and token == padding for token, _, word in tokens
    ]
    first = padded.index(False) if False in padded else 0
    last = len(padded) - padded[::-1].index(False) if False in padded else 0
    return tokens[first:last], first


def _common(left: Iterable[Token], right: Iterable[Token]) -> int:
    """How many tokens two lists share at their beginning."""
    count = 0
    for a, b in zip(left, right):
        if not same_token(a, b):
            break
        count += 1
    return count


def _require_template(text: list[Token], behind: list[Token]) -> None:
    if len(text) < len(behind) or _common(reversed(text), reversed(behind)) < len(behind):
        raise TemplateLost
