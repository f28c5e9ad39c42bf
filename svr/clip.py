"""What a story needs from ComfyUI's CLIP: which text encoders it has, their tokens, and where these
end up in the CONDITIONING.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from comfy.sd import CLIP

from ..errors import InputError
from ..families import ENCODERS, SECOND_TEXT, TOWERS, Encoder
from ..log import logger
from ..story.references import Reference
from .layout import Chunks, Layout
from .parts import DoesNotFit, Part, place
from .pictures import Sight, sight_of

SUPPORTED = ", ".join(encoder.name for encoder in ENCODERS)
WEIGHTED = "(weight:1.5)"


class Reader:
    """A CLIP of a kind that the pack knows. Raises InputError for another.

    `encoders` are those that fill positions, in the CONDITIONING's order, as far as this CLIP has
    them: SDXL's refiner has SDXL's tokenizer but only tower g, and SD3 comes without T5 or without
    a tower. `sight` are the pictures before every text that it reads.
    """

    def __init__(self, clip: CLIP, sight: Sight | None = None):
        self.clip = clip
        self._sight = sight
        self._looking: dict[tuple[Reference, ...], Reader] = {}
        self._said: set[tuple[str, ...]] = set()
        self._tokens: dict[str, dict[str, Chunks]] = {}
        self.empty = self.tokenize("")
        self.kind = kind_of(self.empty)
        found = {
            key: _module(clip, self.kind.adapter_reads or key)
            for band in (*self.kind.bands, self.kind.second)
            for key in band
        }
        self.encoders = {key: module for key, module in found.items() if module is not None}
        if not self.encoders:
            raise InputError(
                "clip",
                f"it has tokens for {', '.join(self.empty)} but no encoder of that name",
                f"Use a stock CLIP of one of: {SUPPORTED}",
            )

    @property
    def length_is_lost(self) -> bool:
        """Whether the model that this CLIP is for normalises every row of the text, so that SVR
        cannot make one shorter.
        """
        return type(self.clip.tokenizer).__name__ in self.kind.length_lost_by

    @property
    def towers(self) -> tuple[str, ...]:
        return tuple(key for key in self.encoders if key in TOWERS)

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(key for key in self.encoders if key not in TOWERS)

    def tokenize(self, text: str) -> dict[str, Chunks]:
        """Every encoder's tokens with word ids. Each text is tokenised only once."""
        if text not in self._tokens:
            self._tokens[text] = tokens = _tokens(self.clip, text, self._sight)
            kind_of(tokens)  # some encoders only join for some texts
        return self._tokens[text]

    def looking_at(self, references: Sequence[Reference]) -> "Reader":
        """The reader of texts after these pictures; itself where there is none. It does not repeat
        the warnings of this one.
        """
        if not references:
            return self
        key = tuple(references)
        if key not in self._looking:
            self._looking[key] = Reader(self.clip, sight_of(self.clip, self.kind, key))
            self._looking[key]._said = self._said
        return self._looking[key]

    def say_once(self, message: str, *words: str) -> None:
        """Log a warning, but not again for this story."""
        if (message, *words) not in self._said:
            self._said.add((message, *words))
            logger.warning(message, *words)

    def padding(self, key: str) -> int | None:
        """The id of the tokens that an encoder's tokenizer fills up with."""
        return getattr(self._tokenizer(key), "pad_token", None)

    def reads_weights(self, key: str) -> bool:
        """Whether (word:1.5) is a weight to an encoder and not literal text."""
        return any(
            weight != 1.0 for chunk in self.tokenize(WEIGHTED)[key] for _, weight, _ in chunk
        )

    def cuts(self, key: str, text: str, tokens: Chunks) -> bool:
        """Whether ComfyUI gives an encoder fewer chunks, `tokens`, than its own tokenizer makes of
        `text`.
        """
        return key in self.kind.cut and len(tokens) < len(
            self._tokenizer(key).tokenize_with_weights(text)
        )

    def parts(
        self, tokens: Mapping[str, Chunks], layouts: Mapping[str, Layout], entry: list[Any]
    ) -> tuple[Part, ...]:
        """The parts of a CONDITIONING's entry, which the encoders made of `tokens`, and those of
        its second text tensor. Where an adapter makes the text, the parts of what it makes.
        """
        cond, extra = entry
        counts = {key: sum(map(len, tokens[key])) for key in layouts}
        positions = sum(counts.values()) if self.kind.adapter_reads else cond.shape[1]

        def placed(kind: Encoder, shape: tuple[int, int]) -> tuple[Part, ...]:
            widths = {key: self._width(key, shape[1]) for key in layouts}
            return place(kind, layouts, counts, widths, shape, longer=self._sight is not None)

        try:
            parts = placed(self.kind, (positions, cond.shape[2]))
            if any(key in layouts for key in self.kind.second):
                second = placed(
                    replace(self.kind, bands=(self.kind.second,)), extra[SECOND_TEXT].shape[2:]
                )
                parts += tuple(replace(part, second=True) for part in second)
            return parts
        except DoesNotFit as error:
            raise InputError(
                "clip", str(error), f"Use a stock CLIP of one of: {SUPPORTED}"
            ) from None

    def _tokenizer(self, key: str) -> Any:
        return getattr(self.clip.tokenizer, key, None) or getattr(
            self.clip.tokenizer, f"clip_{key}", None
        )

    def _width(self, key: str, features: int) -> int:
        """A tower fills the features that its embedding has, another encoder all of them: it may
        give several layers.
        """
        if key not in TOWERS:
            return features
        width: int = self.encoders[key].transformer.get_input_embeddings().weight.shape[1]
        return width


def _tokens(clip: CLIP, text: str, sight: Sight | None) -> dict[str, Chunks]:
    """Every encoder's tokens with word ids. Raises InputError for a tokenizer that gives none, as
    LongCat-Image's.
    """
    given: dict[str, Any] = (
        clip.tokenize(text, return_word_ids=True) if sight is None else sight.tokenize(clip, text)
    )
    # Qwen-Image 2.1's tokenizer adds a switch for prompts with pictures.
    tokens: dict[str, Chunks] = {
        key: chunks for key, chunks in given.items() if not isinstance(chunks, bool)
    }
    silent = [
        key
        for key, chunks in tokens.items()
        if any(len(token) < 3 for chunk in chunks for token in chunk)
    ]
    if silent:
        raise InputError(
            "clip",
            f"its tokenizer {', '.join(silent)} does not report which word a token belongs to",
            f"Use the CLIP of one of: {SUPPORTED}",
        )
    return tokens


def kind_of(tokens: Mapping[str, Chunks]) -> Encoder:
    for kind in ENCODERS:
        if kind.keys == set(tokens):
            return kind
    known = {key for kind in ENCODERS for key in kind.keys}
    unknown = sorted(set(tokens) - known) or sorted(tokens)
    raise InputError(
        "clip",
        f"its text encoder {', '.join(unknown)} is not supported",
        f"Use the CLIP of one of: {SUPPORTED}",
    )


def _module(clip: CLIP, key: str) -> Any:
    model = clip.cond_stage_model
    return getattr(model, f"clip_{key}", None) or getattr(model, key, None)
