"""Singular-value reweighting (SVR) of token embeddings, One-Prompt-One-Story (arXiv 2501.13554),
section 3.2.

All functions take and give one encoder's embeddings, [T, d], and never change their input. The
singular values are taken in float64 on the CPU, since some devices have none (Apple's, some of
Intel's), from the economy-size SVD, which the published code's full SVD equals at ten to a hundred
times the cost.

The published alphas are for CLIP, whose embeddings are about CLIP_ROW long. Another encoder's are
from 1 to 1000, so that exp would do nothing or overflow: there S is taken relative to `scale`, how
many times as long its own are.
"""

from dataclasses import dataclass

import torch

from .layout import Layout

EOT_FACTOR = 0.9
PUBLISHED_ALPHA = 0.01  # of both strengths, by size
CLIP_ROW = (
    27.7  # CLIP-L's last layer norm gives each of its 768 numbers a mean square near 1: sqrt(768)
)
# an embedding so many times as long as the middle one holds no word: language models park attention
# in such
SINK = 10.0


@dataclass(frozen=True)
class Weights:
    """Strength of one direction: S' = beta * exp(alpha * S / scale) * S. Enhancing has alpha > 0,
    weakening alpha < 0.
    """

    alpha: float
    beta: float


def reweight(embeds: torch.Tensor, weights: Weights, scale: float = 1.0) -> torch.Tensor:
    """X = U S V^T with S replaced by beta * exp(alpha * S / scale) * S. `embeds` [n, d] -> [n, d],
    same dtype and device.
    """
    # Of X^T, because LAPACK is twice as fast on tall matrices: X^T = V S U^T.
    v, s, ut = torch.linalg.svd(embeds.cpu().double().T, full_matrices=False)
    s = weights.beta * torch.exp(weights.alpha * s / scale) * s
    reweighted: torch.Tensor = (v * s) @ ut
    return reweighted.T.to(embeds)


def reweight_phrase(
    embeds: torch.Tensor,
    phrase: tuple[int, ...],
    ends: tuple[int, ...],
    weights: Weights,
    eot_apart: bool,
    scale: float = 1.0,
) -> torch.Tensor:
    """One pass over `embeds` [T, d]: reweight the phrase's positions together with all end-of-text
    positions.

    `eot_apart` (mode svr-eot): only the phrase's are reweighted, those of the end of text are
    multiplied by 0.9.
    """
    out = embeds.clone()
    if eot_apart:
        out[list(phrase)] = reweight(embeds[list(phrase)], weights, scale)
        out[list(ends)] *= EOT_FACTOR
    else:
        positions = [*phrase, *ends]
        out[positions] = reweight(embeds[positions], weights, scale)
    return out


def express(
    embeds: torch.Tensor,
    layout: Layout,
    expressed: int,
    enhance: Weights,
    weaken: Weights,
    eot_apart: bool,
    kept: tuple[int, ...] = (0,),
    scale: float = 1.0,
) -> torch.Tensor:
    """Turn phrase `expressed` up and every other phrase down but those `kept`, in the published
    order.

    `embeds` [T, d] of one encoder. Kept as they are: phrase 0, the identity; with a cast, which is
    ours and not the paper's, the common text and the frame's own characters, so that an absent
    character is turned down like another frame's words. Weaken the others one after the other in
    the prompt's order (each pass takes the end-of-text positions along again), then enhance the
    expressed one. A phrase without positions in this encoder (an embedding made for another one) is
    skipped.
    """
    for phrase, weights in _passes(layout, expressed, enhance, weaken, kept):
        embeds = reweight_phrase(embeds, phrase, layout.ends, weights, eot_apart, scale)
    return embeds


def factors(
    layout: Layout,
    expressed: int,
    enhance: Weights,
    weaken: Weights,
    eot_apart: bool,
    kept: tuple[int, ...] = (0,),
) -> tuple[tuple[int, float], ...]:
    """What `express` does to embeddings where both alphas are 0, as (position, factor) of every
    position that it changes.

    For keys and values of models that lose an embedding's length: they are linear in the embedding
    elsewhere, so to scale the one is to scale the others. An alpha would mix the phrase's
    positions, which no factor can express.
    """
    found: dict[int, float] = {}
    for phrase, weights in _passes(layout, expressed, enhance, weaken, kept):
        for positions, factor in (
            (phrase, weights.beta),
            (layout.ends, EOT_FACTOR if eot_apart else weights.beta),
        ):
            found.update({position: found.get(position, 1.0) * factor for position in positions})
    return tuple((position, factor) for position, factor in sorted(found.items()) if factor != 1.0)


def _passes(
    layout: Layout, expressed: int, enhance: Weights, weaken: Weights, kept: tuple[int, ...]
) -> list[tuple[tuple[int, ...], Weights]]:
    """The phrases that are reweighted one after the other, each with its weights."""
    others = [
        phrase
        for index, phrase in enumerate(layout.phrases)
        if index != expressed and index not in kept
    ]
    passes = [*((other, weaken) for other in others), (layout.phrases[expressed], enhance)]
    return [(phrase, weights) for phrase, weights in passes if phrase]


def scale_of(embeds: torch.Tensor, layout: Layout) -> float:
    """How many times as long as CLIP's the middle one of all phrases' embeddings is; 1 where they
    are all zero.

    `embeds` [T, d]. The median, so that a few of enormous length change nothing.
    """
    positions = [position for phrase in layout.phrases for position in phrase]
    return embeds[positions].cpu().double().norm(dim=-1).median().item() / CLIP_ROW or 1.0


def without_sinks(embeds: torch.Tensor, layout: Layout, scale: float) -> Layout:
    """`layout` less the positions whose embeddings are longer than SINK times the middle one, which
    stay as they are: their S would dominate every other.

    `embeds` [T, d] of the encoder with that `scale`.
    """
    sink = (embeds.cpu().double().norm(dim=-1) > SINK * CLIP_ROW * scale).tolist()

    def kept(positions: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(position for position in positions if not sink[position])

    return Layout(tuple(map(kept, layout.phrases)), layout.begins, kept(layout.ends))
