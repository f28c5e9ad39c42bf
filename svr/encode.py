"""A prompt through a CLIP: its encoding, and which positions and features of it each text encoder
fills.
"""

from dataclasses import dataclass
from typing import Any

import torch
from comfy.sd import CLIP

from ..errors import InputError
from ..families import ADAPTER_TOKENS, SECOND_TEXT
from ..story.references import Reference
from ..story.rows import Row
from .clip import Reader
from .layout import Chunks, Layout
from .parts import Part
from .phrases import lay_out_prompt
from .reports import report_cuts

Entry = list[Any]  # ComfyUI's: a tensor [rows, positions, features], and a dict


@dataclass(frozen=True)
class Prompt:
    """One prompt, encoded: an entry for every range of a scheduled CLIP, and what each encoder
    fills.
    """

    entries: list[Entry]
    parts: tuple[Part, ...]


def encode(clip: CLIP, tokens: dict[str, Chunks]) -> list[Entry]:
    """ComfyUI's own encoding of the tokens: CLIP skip, LoRAs and scheduled hooks are all in
    there.
    """
    bare = {
        key: [[pair[:2] for pair in chunk] for chunk in chunks] for key, chunks in tokens.items()
    }
    entries: list[Entry] = clip.encode_from_tokens_scheduled(bare, show_pbar=False)
    if not all(torch.isfinite(cond).all() for cond, _ in entries):
        raise InputError(
            "story",
            "its encoded text is not finite",
            "Look for a weight that is too large, like (fox:1e999), or a broken embedding or LoRA",
        )
    return entries


def prompt_layouts(
    clip: CLIP, phrases: tuple[str, ...]
) -> tuple[dict[str, Chunks], dict[str, Layout]]:
    """Tokens of the joined phrases, and the layout of every encoder that fills positions."""
    return lay_out_prompt(Reader(clip), phrases)


def encode_prompt(reader: Reader, phrases: tuple[str, ...]) -> Prompt:
    """The joined phrases, encoded."""
    tokens, layouts = lay_out_prompt(reader, phrases)
    report_cuts(reader, tokens, layouts, phrases)
    entries = encode(reader.clip, tokens)
    return Prompt(entries, reader.parts(tokens, layouts, entries[0]))


def record_of(
    reader: Reader,
    identity: tuple[str, ...],
    present: tuple[int, ...],
    prompt: Prompt,
    references: tuple[Reference, ...] = (),
    factors: tuple[tuple[int, float], ...] = (),
) -> Row:
    """The record of a row with this prompt, with positions in any of the encoders."""
    cond, extra = prompt.entries[0]
    return Row(
        identity,
        0,
        present,
        _together([part.layout for part in prompt.parts if not part.second]),
        cond.shape[1],
        padded=not reader.kind.for_unets,
        second=_together([part.layout for part in prompt.parts if part.second]),
        second_length=extra[SECOND_TEXT].shape[2] if reader.kind.second else 0,
        references=references,
        factors=factors,
        adapted=len(extra[ADAPTER_TOKENS[0]]) if reader.kind.adapter_reads else 0,
    )


def _together(layouts: list[Layout]) -> tuple[tuple[int, ...], ...]:
    """Positions of every phrase in any of the layouts."""
    return tuple(
        tuple(sorted({position for positions in alike for position in positions}))
        for alike in zip(*(layout.phrases for layout in layouts))
    )
