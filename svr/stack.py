"""Encoded prompts of several frames as one CONDITIONING, and a batch of them out of it again.

Prompts of different lengths need one length to fit one tensor. For a UNet they are repeated whole,
as ComfyUI itself pads, which leaves cross-attention unchanged. In joint attention a repeated token
would count twice: there they are padded with zeros at the end, and Story Batch cuts the padding off
again before anything is sampled.
"""

import math
from typing import Any

import torch

from ..errors import InputError
from ..families import ADAPTER_TOKENS, SECOND_TEXT
from ..story.rows import ROWS_KEY, Row

MASK_KEY = "attention_mask"  # of tokens: which of them are words, [rows, tokens]


def stack(
    entries: list[list[Any]], records: tuple[Row, ...], zero_pooled: bool, repeat: bool
) -> list[Any]:
    """One conditioning entry of N rows from N entries of one row, with `records` of what each row
    is.
    """
    lengths = [cond.shape[1] for cond, _ in entries]
    extra: dict[str, Any] = {**entries[0][1], ROWS_KEY: records}
    if repeat:
        length = math.lcm(*lengths)
        cond = torch.cat([cond.repeat(1, length // cond.shape[1], 1) for cond, _ in entries])
    else:
        cond = torch.cat([_padded(cond, max(lengths)) for cond, _ in entries])
        if extra.get(MASK_KEY) is not None:
            extra[MASK_KEY] = _one_for_all(
                torch.cat(
                    [_padded(entry_extra[MASK_KEY], max(lengths)) for _, entry_extra in entries]
                )
            )
    if extra.get(SECOND_TEXT) is not None:
        seconds = [entry_extra[SECOND_TEXT] for _, entry_extra in entries]
        longest = max(second.shape[2] for second in seconds)
        extra[SECOND_TEXT] = torch.cat([_padded(second, longest, 2) for second in seconds])
    for key in ADAPTER_TOKENS:
        if extra.get(key) is not None:
            extra[key] = _of_each_prompt([entry_extra[key] for _, entry_extra in entries])
    if extra.get("pooled_output") is not None:
        pooled = torch.cat([entry_extra["pooled_output"] for _, entry_extra in entries])
        extra["pooled_output"] = torch.zeros_like(pooled) if zero_pooled else pooled
    return [cond, extra]


def trimmed(cond: torch.Tensor, extra: dict[str, Any], lengths: list[tuple[int, int]]) -> list[Any]:
    """Rows of one entry whose prompts have these `lengths`, in both tensors, without the padding
    after the longest.
    """
    length, second_length = map(max, zip(*lengths))
    if extra.get(SECOND_TEXT) is not None:
        extra = {**extra, SECOND_TEXT: extra[SECOND_TEXT][:, :, :second_length]}
    if cond.shape[1] == length:
        return [cond, extra]
    mask = extra.get(MASK_KEY)
    return [
        cond[:, :length],
        extra if mask is None else {**extra, MASK_KEY: _one_for_all(mask[:, :length])},
    ]


def with_tokens_of(row: Row, extra: dict[str, Any]) -> dict[str, Any]:
    """An entry's dict whose rows all have this row's prompt: an adapter's tokens are one prompt's,
    as ComfyUI has them.
    """
    found = {key: extra[key] for key in ADAPTER_TOKENS if extra.get(key) is not None}
    own = {key: tokens[0, : row.adapted] for key, tokens in found.items() if tokens.ndim == 2}
    return {**extra, **own}


def padded_lengths(
    name: str, cond: torch.Tensor, records: tuple[Row, ...] | None
) -> list[tuple[int, int]] | None:
    """The lengths of every row's prompt in a conditioning that `stack` padded; None where nothing
    was.

    `name` is the input that the InputError names if another node changed how many tokens there are.
    """
    both = [row.lengths for row in records or ()]
    if len(set(both)) < 2 or not all(row.padded for row in records or ()):
        return None
    lengths = [length for length, _ in both]
    if cond.shape[1] != max(lengths):
        raise InputError(
            name,
            f"it has {cond.shape[1]} tokens per frame, but the story's prompts have {min(lengths)}"
            f" to {max(lengths)}",
            "Join no other text to it after SVR Reweight, or set window_length so that all frames"
            " share one prompt",
        )
    return both


def _padded(tensor: torch.Tensor, length: int, axis: int = 1) -> torch.Tensor:
    """`tensor` [1, T, ..], or with its T tokens on another axis, with zeros after them up to
    `length` of them.
    """
    out = tensor.new_zeros(*tensor.shape[:axis], length, *tensor.shape[axis + 1 :])
    out.narrow(axis, 0, tensor.shape[axis]).copy_(tensor)
    return out


def _of_each_prompt(tokens: list[torch.Tensor]) -> torch.Tensor:
    """An adapter's tokens: [T] of the prompt that all rows share, or one row for each, [n, T]."""
    if all(torch.equal(own, tokens[0]) for own in tokens):
        return tokens[0]
    longest = max(map(len, tokens))
    return torch.cat([_padded(own.unsqueeze(0), longest) for own in tokens])


def _one_for_all(mask: torch.Tensor) -> torch.Tensor:
    """One row where all are equal: older cores take the sum of Lumina's whole mask for the length
    of one prompt.
    """
    return mask[:1] if bool((mask == mask[:1]).all()) else mask
