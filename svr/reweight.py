"""Singular-value reweighting (SVR) of token embeddings, One-Prompt-One-Story (arXiv 2501.13554), section 3.2.

All functions take and give one tower's rows, [T, d], and never change their input. The singular values are taken in
float64 from the economy-size SVD, which the published code's full SVD equals at ten to a hundred times the cost.
"""

from dataclasses import dataclass

import torch

from .layout import Layout

EOT_FACTOR = 0.9


@dataclass(frozen=True)
class Weights:
    """Strength of one direction: S' = beta * exp(alpha * S) * S. Enhancing has alpha > 0, weakening alpha < 0."""

    alpha: float
    beta: float


def reweight(rows: torch.Tensor, weights: Weights) -> torch.Tensor:
    """X = U S V^T with S replaced by beta * exp(alpha * S) * S. `rows` [n, d] -> [n, d] in the same dtype."""
    # Of X^T, because LAPACK is twice as fast on tall matrices: X^T = V S U^T.
    v, s, ut = torch.linalg.svd(rows.double().T, full_matrices=False)
    s = weights.beta * torch.exp(weights.alpha * s) * s
    return ((v * s) @ ut).T.to(rows.dtype)


def reweight_phrase(
    embeds: torch.Tensor, phrase: tuple[int, ...], ends: tuple[int, ...], weights: Weights, eot_apart: bool
) -> torch.Tensor:
    """One pass over `embeds` [T, d]: reweight the phrase's rows together with all end-of-text rows.

    `eot_apart` (mode svr-eot): the phrase's rows alone are reweighted, the end-of-text rows are multiplied by 0.9.
    """
    out = embeds.clone()
    if eot_apart:
        out[list(phrase)] = reweight(embeds[list(phrase)], weights)
        out[list(ends)] *= EOT_FACTOR
    else:
        rows = [*phrase, *ends]
        out[rows] = reweight(embeds[rows], weights)
    return out


def express(
    embeds: torch.Tensor, layout: Layout, expressed: int, enhance: Weights, weaken: Weights, eot_apart: bool, kept: tuple[int, ...] = (0,)
) -> torch.Tensor:
    """Turn phrase `expressed` up and every other phrase down but those `kept`, in the published order.

    `embeds` [T, d] of one tower. Kept as they are: phrase 0, the identity; with a cast, which is ours and not the
    paper's, the common text and the frame's own characters, so that an absent character is turned down like another
    frame's words. Weaken the others one after the other in the prompt's order (each pass takes the end-of-text rows along
    again), then enhance the expressed one. A phrase without rows in this tower (an embedding made for the other one) is
    passed over.
    """
    others = [phrase for index, phrase in enumerate(layout.phrases) if index != expressed and index not in kept]
    for phrase, weights in [*((other, weaken) for other in others), (layout.phrases[expressed], enhance)]:
        if phrase:
            embeds = reweight_phrase(embeds, phrase, layout.ends, weights, eot_apart)
    return embeds
