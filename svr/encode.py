"""The text side's one module that knows ComfyUI: a CLIP in, CONDITIONING of one row a frame out."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import comfy.model_management
import comfy.utils
import torch
from comfy.sd import CLIP

from ..errors import InputError
from ..log import logger
from ..story.rows import ROWS_KEY, Row
from ..story.story import Story, fitting_length, windows
from .layout import Chunks, Layout, PhrasesRunTogether, chunk_budget, content, lay_out
from .reweight import Weights, express

TOWERS = ("l", "g", "h")  # in the order in which SDXL's conditioning concatenates them; SD2.x has h alone

Reweighting = Callable[[torch.Tensor, Layout, int, tuple[int, ...]], torch.Tensor]


def tokenize(clip: CLIP, text: str) -> dict[str, Chunks]:
    """Every tower's tokens with word ids, in the order of the conditioning's columns.

    SDXL's refiner has SDXL's tokenizer but reads tower g alone: a tower without an encoder is left out.
    """
    tokens = clip.tokenize(text, return_word_ids=True)
    unknown = sorted(set(tokens) - set(TOWERS))
    if unknown:
        raise InputError(
            "clip",
            f"its text encoder {', '.join(unknown)} is not a CLIP tower",
            "Use the CLIP of an SDXL, SD1.x or SD2.x checkpoint: the method needs a causal CLIP",
        )
    towers = {tower: tokens[tower] for tower in TOWERS if tower in tokens and hasattr(clip.cond_stage_model, f"clip_{tower}")}
    if not towers:
        raise InputError(
            "clip", f"it has tokens for {', '.join(tokens)} but no encoder of that name", "Use a stock SDXL, SD1.x or SD2.x CLIP"
        )
    return towers


def encode(clip: CLIP, tokens: dict[str, Chunks]) -> list[list]:
    """ComfyUI's own encoding of the tokens: CLIP skip, LoRAs and scheduled hooks are all in there."""
    bare = {tower: [[pair[:2] for pair in chunk] for chunk in chunks] for tower, chunks in tokens.items()}
    entries = clip.encode_from_tokens_scheduled(bare, show_pbar=False)
    if not all(torch.isfinite(cond).all() for cond, _ in entries):
        raise InputError(
            "story",
            "its encoded text is not finite",
            "Look for a weight that is too large, like (fox:1e999), or a broken embedding or LoRA",
        )
    return entries


def tower_columns(clip: CLIP, towers: tuple[str, ...], width: int) -> dict[str, slice]:
    """Which columns of the conditioning belong to which tower."""
    columns, start = {}, 0
    for tower in towers:
        encoder = getattr(clip.cond_stage_model, f"clip_{tower}")
        stop = start + encoder.transformer.get_input_embeddings().weight.shape[1]
        columns[tower] = slice(start, stop)
        start = stop
    if start != width:
        raise InputError(
            "clip", f"its towers are {start} wide together but its conditioning is {width} wide", "Use a stock SDXL, SD1.x or SD2.x CLIP"
        )
    return columns


def encode_story(clip: CLIP, story: Story, reweighting: Reweighting | None, zero_pooled: bool) -> list[list]:
    """CONDITIONING whose tensors have one row a frame.

    `reweighting(embeds [T, d], layout, expressed phrase, kept phrases)` is applied to each tower of each frame; None
    keeps the encoding as it is. Frames that share a prompt share its encoding. Chunked prompts of different lengths are
    repeated whole to a common length, as ComfyUI itself pads, which leaves attention unchanged. The dict says whose each
    row is (`story/rows.py`).
    """
    frame_windows = choose_windows(clip, story)
    distinct = list(dict.fromkeys(frame_windows))
    prompts = {}
    progress = comfy.utils.ProgressBar(len(distinct)) if len(distinct) > 1 else None
    for window in distinct:
        comfy.model_management.throw_exception_if_processing_interrupted()
        prompts[window] = _encode_prompt(clip, story, window)
        if progress is not None:
            progress.update(1)

    frames = []
    for frame, window in enumerate(frame_windows):
        comfy.model_management.throw_exception_if_processing_interrupted()
        layouts, entries = prompts[window]
        expressed = len(story.identity_phrases) + window.index(frame)
        kept = story.present[frame]
        frames.append([_reweight_entry(clip, entry, layouts, expressed, kept, reweighting) for entry in entries])
    records = [_record(story, frame, *prompts[window]) for frame, window in enumerate(frame_windows)]
    return [
        _stack(list(entries), zero_pooled, tuple(replace(record, schedule=schedule) for record in records))
        for schedule, entries in enumerate(zip(*frames))
    ]


def choose_windows(clip: CLIP, story: Story) -> tuple[tuple[int, ...], ...]:
    """Windows by real token counts of the longest tower; says once which frames are over budget even alone."""
    alone = [tokenize(clip, text).values() for text in (story.identity, *story.frames)]
    identity, *frames = (max(len(content(chunks)) for chunks in towers) for towers in alone)
    budget = min(chunk_budget(chunks) for towers in alone for chunks in towers)
    length = fitting_length(identity, frames, story.window_length, budget)
    over = [str(frame + 1) for frame, size in enumerate(frames) if identity + size > budget]
    if over:
        logger.warning(
            "SVR Reweight: identity and frame are over %d tokens and are encoded in several chunks: frame %s", budget, ", ".join(over)
        )
    return windows(len(frames), length)


def prompt_layouts(clip: CLIP, phrases: tuple[str, ...]) -> tuple[dict[str, Chunks], dict[str, Layout]]:
    """Tokens of the joined phrases, and every tower's layout. Raises InputError where parentheses run together."""
    tokens = tokenize(clip, " ".join(phrases))
    alone = [tokenize(clip, phrase) for phrase in phrases]
    for phrase, towers in zip(phrases, alone):
        if not any(content(chunks) for chunks in towers.values()):
            raise InputError("story", f"'{phrase}' has no token that this CLIP can read", "Write words, or check the embedding's name")
    try:
        return tokens, {tower: lay_out(chunks, [phrase[tower] for phrase in alone]) for tower, chunks in tokens.items()}
    except PhrasesRunTogether as error:
        raise InputError(
            "story",
            f"the parentheses in '{phrases[error.phrase]}' are not balanced and swallow the next phrase",
            "Close every '(' in the same frame or identity, or write '\\(' for a plain parenthesis",
        ) from None


def _encode_prompt(clip: CLIP, story: Story, window: tuple[int, ...]) -> tuple[dict[str, Layout], list[list]]:
    tokens, layouts = prompt_layouts(clip, story.phrases(window))
    return layouts, encode(clip, tokens)


def _record(story: Story, frame: int, layouts: dict[str, Layout], entries: list[list]) -> Row:
    """Whose the row of `frame` is, with columns in any of the towers."""
    phrases = tuple(tuple(sorted({*columns})) for columns in map(_joined, zip(*(layout.phrases for layout in layouts.values()))))
    begins = tuple(sorted({*_joined(layout.begins for layout in layouts.values())}))
    return Row(story.identity_phrases, 0, frame, story.present[frame], begins, phrases, entries[0][0].shape[1])


def _joined(towers: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(column for columns in towers for column in columns)


def _reweight_entry(
    clip: CLIP, entry: list, layouts: dict[str, Layout], expressed: int, kept: tuple[int, ...], reweighting: Reweighting | None
) -> list:
    cond, extra = entry
    if reweighting is None:
        return [cond, extra]
    columns = tower_columns(clip, tuple(layouts), cond.shape[-1])
    towers = [reweighting(cond[0, :, columns[tower]], layout, expressed, kept) for tower, layout in layouts.items()]
    cond = torch.cat(towers, dim=-1).unsqueeze(0)
    if not torch.isfinite(cond).all():
        raise InputError(
            "enhance_alpha",
            "the reweighted embedding is not finite",
            "Use smaller alphas and betas; 0.001 to 0.02 is useful for enhance_alpha",
        )
    return [cond, extra]


def _stack(entries: list[list], zero_pooled: bool, records: tuple[Row, ...]) -> list:
    """One conditioning entry of N rows from N entries of one row, which says whose they are."""
    length = math.lcm(*(cond.shape[1] for cond, _ in entries))
    cond = torch.cat([cond.repeat(1, length // cond.shape[1], 1) for cond, _ in entries])
    extra = {**entries[0][1], ROWS_KEY: records}
    if extra.get("pooled_output") is not None:
        pooled = torch.cat([entry_extra["pooled_output"] for _, entry_extra in entries])
        extra["pooled_output"] = torch.zeros_like(pooled) if zero_pooled else pooled
    return [cond, extra]


def reweighting_for(mode: str, enhance: Weights, weaken: Weights) -> Reweighting | None:
    """The reweighting that a mode of the node names: svr, svr-eot, or None for original."""
    if mode == "original":
        return None
    return lambda embeds, layout, expressed, kept: express(embeds, layout, expressed, enhance, weaken, mode == "svr-eot", kept)
