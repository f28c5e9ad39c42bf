"""The text side at work: a CLIP and a story in, CONDITIONING of one row a frame out."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.utils
import torch
from comfy.sd import CLIP

from ..errors import InputError
from ..families import SECOND_TEXT
from ..log import logger
from ..story.brackets import left_open
from ..story.marks import shown
from ..story.rows import Row
from ..story.story import Story, fitting_length, windows
from .clip import Reader
from .layout import Chunks, Layout, PhrasesRunTogether, chunk_budget, content, lay_out
from .parts import Part
from .prefixes import TemplateLost, lay_out_by_prefixes
from .reweight import Weights, express, scale_of, without_sinks
from .stack import stack

WEIGHT = re.compile(r"\([^()]+:\s*[0-9.]+\s*\)")

Reweighting = Callable[[torch.Tensor, Layout, int, tuple[int, ...], float], torch.Tensor]


def encode(clip: CLIP, tokens: dict[str, Chunks]) -> list[list]:
    """ComfyUI's own encoding of the tokens: CLIP skip, LoRAs and scheduled hooks are all in there."""
    bare = {key: [[pair[:2] for pair in chunk] for chunk in chunks] for key, chunks in tokens.items()}
    entries = clip.encode_from_tokens_scheduled(bare, show_pbar=False)
    if not all(torch.isfinite(cond).all() for cond, _ in entries):
        raise InputError(
            "story",
            "its encoded text is not finite",
            "Look for a weight that is too large, like (fox:1e999), or a broken embedding or LoRA",
        )
    return entries


@dataclass(frozen=True)
class Prompt:
    """One prompt, encoded: an entry for every range of a scheduled CLIP, and whose its rows and columns are."""

    entries: list[list]
    parts: tuple[Part, ...]


class LeftOpen(InputError):
    """A phrase whose parentheses are not balanced, so that the next phrase is read otherwise than alone."""

    def __init__(self, phrase: str, where: str = ""):
        super().__init__(
            "story",
            f"the parentheses in '{shown(phrase)}'{where} are not balanced and swallow the next phrase",
            "Close every '(' in the same frame or identity, or write '\\(' for a plain parenthesis",
        )
        self.phrase = phrase

    def in_frame_of(self, story: Story) -> "LeftOpen":
        """The same with the frame's number, where it is a frame."""
        known = self.phrase in story.frames
        return LeftOpen(self.phrase, f" (frame {story.frames.index(self.phrase) + 1})" if known else "")


def encode_story(clip: CLIP, story: Story, reweighting: Reweighting | None, zero_pooled: bool) -> list[list]:
    """CONDITIONING whose tensors have one row a frame.

    `reweighting(embeds [T, d], layout, expressed phrase, kept phrases, scale)` is applied to each encoder's part of each
    frame; None keeps the encoding as it is. Frames that share a prompt share its encoding. Prompts of different lengths
    are brought to one as `stack.py` says. The dict says whose each row is (`story/rows.py`).
    """
    reader = Reader(clip)
    _say_what_is_literal(reader, story)
    frame_windows = choose_windows(reader, story)
    distinct = list(dict.fromkeys(frame_windows))
    prompts = {}
    progress = comfy.utils.ProgressBar(len(distinct)) if len(distinct) > 1 else None
    for window in distinct:
        comfy.model_management.throw_exception_if_processing_interrupted()
        try:
            prompts[window] = _encode_prompt(reader, story.phrases(window))
        except LeftOpen as error:
            raise error.in_frame_of(story) from None
        if progress is not None:
            progress.update(1)

    frames = []
    for frame, window in enumerate(frame_windows):
        comfy.model_management.throw_exception_if_processing_interrupted()
        prompt = prompts[window]
        expressed = len(story.identity_phrases) + window.index(frame)
        kept = story.present[frame]
        frames.append([_reweight_entry(entry, prompt.parts, expressed, kept, reweighting) for entry in prompt.entries])
    records = [_record(reader, story, story.present[frame], prompts[window]) for frame, window in enumerate(frame_windows)]
    return [
        stack(list(entries), tuple(replace(record, schedule=schedule) for record in records), zero_pooled, reader.kind.for_unets)
        for schedule, entries in enumerate(zip(*frames))
    ]


def choose_windows(reader: Reader, story: Story) -> tuple[tuple[int, ...], ...]:
    """Windows by real token counts of the longest CLIP tower; says once which frames are over budget even alone.

    Where no tower has rows in the conditioning (Flux, Qwen-Image, ..) there is no budget: the window is window_length.
    """
    if not reader.towers:
        length = min(story.window_length, len(story.frames))
    else:
        length = _fitting_length(reader, story)
    two_way = [key for key in reader.others if key in reader.kind.two_way]
    if two_way and length < len(story.frames):
        logger.warning(
            "SVR Reweight: %s reads a prompt as a whole, so the identity is the same only in frames that share one prompt, and here "
            "%d of %d do: raise window_length, or shorten the texts where CLIP's tokens hold it down",
            ", ".join(two_way),
            length,
            len(story.frames),
        )
    return windows(len(story.frames), length)


def _fitting_length(reader: Reader, story: Story) -> int:
    alone = [[tokens[tower] for tower in reader.towers] for tokens in map(reader.tokenize, (story.identity, *story.frames))]
    identity, *frames = (max(len(content(chunks)) for chunks in towers) for towers in alone)
    budget = min(chunk_budget(chunks) for towers in alone for chunks in towers)
    over = [str(frame + 1) for frame, size in enumerate(frames) if identity + size > budget]
    if over:
        logger.warning(
            "SVR Reweight: identity and frame are over %d tokens and are encoded in several chunks: frame %s", budget, ", ".join(over)
        )
    return fitting_length(identity, frames, story.window_length, budget)


def prompt_layouts(clip: CLIP, phrases: tuple[str, ...]) -> tuple[dict[str, Chunks], dict[str, Layout]]:
    """Tokens of the joined phrases, and the layout of every encoder that fills rows, counted in its own tokens."""
    return _lay_out(Reader(clip), phrases)


def _lay_out(reader: Reader, phrases: tuple[str, ...]) -> tuple[dict[str, Chunks], dict[str, Layout]]:
    tokens = reader.tokenize(" ".join(phrases))
    layouts = {**_tower_layouts(reader, tokens, phrases), **_other_layouts(reader, tokens, phrases)}
    for place, phrase in enumerate(phrases):
        if not any(layout.phrases[place] for layout in layouts.values()):
            raise InputError("story", f"'{phrase}' has no token that this CLIP can read", "Write words, or check the embedding's name")
    return tokens, {key: layouts[key] for key in reader.encoders}


def _tower_layouts(reader: Reader, tokens: dict[str, Chunks], phrases: tuple[str, ...]) -> dict[str, Layout]:
    """By counting: a CLIP tower reads each phrase alone as in the prompt. Raises InputError where parentheses run together."""
    if not reader.towers:
        return {}
    alone = [reader.tokenize(phrase) for phrase in phrases]
    try:
        return {tower: lay_out(tokens[tower], [phrase[tower] for phrase in alone]) for tower in reader.towers}
    except PhrasesRunTogether as error:
        raise LeftOpen(phrases[left_open(phrases, error.phrase)]) from None


def _other_layouts(reader: Reader, tokens: dict[str, Chunks], phrases: tuple[str, ...]) -> dict[str, Layout]:
    """By the prompt's own beginnings. What two phrases share goes to the later one, and is said."""
    if not reader.others:
        return {}
    prefixes = [reader.tokenize(" ".join(phrases[:count])) for count in range(1, len(phrases))]
    layouts = {}
    for key in reader.others:
        own = [prefix[key] for prefix in prefixes]
        try:
            layouts[key], run_together = lay_out_by_prefixes(tokens[key], own, reader.empty[key], reader.padding(key))
        except TemplateLost:
            raise InputError(
                "story",
                f"a text takes the place of what {key} expects around a prompt",
                "Leave out template words like <|im_start|>, and embeddings that do not exist",
            ) from None
        for place in run_together:
            phrase = phrases[place]
            if any(bracket in phrase for bracket in "()") and reader.reads_weights(key):
                raise LeftOpen(phrases[left_open(phrases, place)])
            reader.say_once(
                "SVR Reweight: %s reads the end of '%s' together with the next phrase, and it counts as the next one's", key, phrase
            )
    return layouts


def _say_what_is_literal(reader: Reader, story: Story) -> None:
    weighted = next(filter(None, map(WEIGHT.search, (story.identity, *story.frames))), None)
    literal = [key for key in reader.others if not reader.reads_weights(key)] if weighted else []
    if weighted and literal:
        logger.warning("SVR Reweight: %s knows no weights: '%s' is read as it is written", ", ".join(literal), weighted[0])
    if weighted and reader.kind.second:
        logger.warning(
            "SVR Reweight: ComfyUI lays the weight of '%s' on whole layers of %s, not on the words: leave it out",
            weighted[0],
            ", ".join(reader.kind.second),
        )


def _say_what_is_cut(reader: Reader, tokens: dict[str, Chunks], layouts: dict[str, Layout], phrases: tuple[str, ...]) -> None:
    for key, layout in layouts.items():
        if reader.cuts(key, " ".join(phrases), tokens[key]):
            last = max(place for place, rows in enumerate(layout.phrases) if rows)
            reader.say_once(
                "SVR Reweight: ComfyUI gives %s the beginning of a long prompt alone, which ends in '%s' here: what follows is left to "
                "the other text encoders. Shorten the texts, or lower window_length",
                key,
                phrases[last][:40],
            )


def _encode_prompt(reader: Reader, phrases: tuple[str, ...]) -> Prompt:
    tokens, layouts = _lay_out(reader, phrases)
    _say_what_is_cut(reader, tokens, layouts, phrases)
    entries = encode(reader.clip, tokens)
    return Prompt(entries, reader.parts(tokens, layouts, entries[0]))


def _record(reader: Reader, story: Story, present: tuple[int, ...], prompt: Prompt) -> Row:
    """Whose the row of a frame is, with positions in any of the encoders."""
    layouts = [part.layout for part in prompt.parts if not part.second]
    cond, extra = prompt.entries[0]
    return Row(
        story.identity_phrases,
        0,
        present,
        _together(layouts),
        cond.shape[1],
        padded=not reader.kind.for_unets,
        second=_together([part.layout for part in prompt.parts if part.second]),
        second_length=extra[SECOND_TEXT].shape[2] if reader.kind.second else 0,
    )


def _together(layouts: list[Layout]) -> tuple[tuple[int, ...], ...]:
    """Rows of every phrase in any of the layouts."""
    return tuple(tuple(sorted({row for rows in alike for row in rows})) for alike in zip(*(layout.phrases for layout in layouts)))


def _reweight_entry(entry: list, parts: tuple[Part, ...], expressed: int, kept: tuple[int, ...], reweighting: Reweighting | None) -> list:
    cond, extra = entry
    if reweighting is None:
        return [cond, extra]
    out, second = cond.clone(), extra.get(SECOND_TEXT)
    if second is not None:
        second = second.clone()
        extra = {**extra, SECOND_TEXT: second}
    for part in parts:
        for rows in second[0] if part.second else out:
            embeds, layout, scale = rows[:, part.columns], part.layout, 1.0
            if not part.is_tower:
                scale = scale_of(embeds, layout)
                layout = without_sinks(embeds, layout, scale)
            rows[:, part.columns] = reweighting(embeds, layout, expressed, kept, scale)
    if not all(torch.isfinite(tensor).all() for tensor in (out, second) if tensor is not None):
        raise InputError(
            "enhance_alpha",
            "the reweighted embedding is not finite",
            "Use smaller alphas and betas; 0.001 to 0.02 is useful for enhance_alpha",
        )
    return [out, extra]


def reweighting_for(mode: str, enhance: Weights, weaken: Weights) -> Reweighting | None:
    """The reweighting that a mode of the node names: svr, svr-eot, or None for original."""
    if mode == "original":
        return None
    return lambda embeds, layout, expressed, kept, scale: express(
        embeds, layout, expressed, enhance, weaken, mode == "svr-eot", kept, scale
    )
