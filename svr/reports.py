"""What SVR Reweight reports of words that a text encoder does not read as they are meant."""

import re
from collections.abc import Mapping

from ..log import logger
from ..story.story import Story
from .clip import Reader
from .layout import Chunks, Layout
from .reweight import PUBLISHED_ALPHA, Weights

WEIGHT = re.compile(r"\([^()]+:\s*[0-9.]+\s*\)")
SHOWN = 40  # characters of a phrase that a warning quotes


def report_weights(reader: Reader, story: Story) -> None:
    """Warn where a weight like (red:1.3) is literal text, or counts for more than its words."""
    texts = (story.identity, *story.frames)
    weighted = next(filter(None, map(WEIGHT.search, texts)), None)
    if not weighted:
        return
    literal = [key for key in reader.others if not reader.reads_weights(key)]
    if literal:
        logger.warning(
            "SVR Reweight: %s has no weights: '%s' is read literally",
            ", ".join(literal),
            weighted[0],
        )
    if reader.kind.second:
        logger.warning(
            "SVR Reweight: ComfyUI applies the weight of '%s' to whole layers of %s, not to the"
            " words: leave it out",
            weighted[0],
            ", ".join(reader.kind.second),
        )


def report_alphas(reader: Reader, enhance: Weights, weaken: Weights) -> None:
    """Warn where somebody has chosen an alpha for a model on which it has no effect."""
    if any(abs(weights.alpha) not in (0.0, PUBLISHED_ALPHA) for weights in (enhance, weaken)):
        logger.warning(
            "SVR Reweight: enhance_alpha and weaken_alpha have no effect on %s, whose model"
            " normalises every token: use enhance_beta and weaken_beta",
            type(reader.clip.tokenizer).__name__.removesuffix("Tokenizer"),
        )


def report_cuts(
    reader: Reader,
    tokens: Mapping[str, Chunks],
    layouts: Mapping[str, Layout],
    phrases: tuple[str, ...],
) -> None:
    """Warn, once per story, of an encoder to which ComfyUI gives only the beginning of a long
    prompt.
    """
    for key, layout in layouts.items():
        if reader.cuts(key, " ".join(phrases), tokens[key]):
            last = max(place for place, positions in enumerate(layout.phrases) if positions)
            reader.say_once(
                "SVR Reweight: ComfyUI gives %s only the beginning of a long prompt, which ends"
                " within '%s' here: the other text encoders read the rest. Shorten the texts, or"
                " lower window_length",
                key,
                phrases[last][:SHOWN],
            )
