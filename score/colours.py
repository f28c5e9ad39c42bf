"""How alike the colours of pictures are: the overlap of their histograms.

On drawn pictures of which it is known what is equal, this tells better than image embeddings
whether the character is the same (docs/evidence.md, *What likeness measures*).
"""

import torch

from .likeness import cosines, fitted

BINS = 6  # per channel


def overlap_of_colours(
    batches: list[torch.Tensor], masks: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """Bhattacharyya coefficient of the colours of every two pictures: [n, n], 1 the same shares of
    the same colours, 0 none in common.

    `batches` are pictures [b, H, W, 3] in 0..1 that may differ in size, `masks` [h, w] one per
    picture: only what they show counts.
    """
    shares = histograms(batches, masks)
    return cosines(shares, shares)


def histograms(
    batches: list[torch.Tensor], masks: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """Square roots of each picture's shares of BINS^3 colours: float64 [n, BINS^3], of length 1, so
    that the cosine of two is their Bhattacharyya coefficient, sum_i sqrt(p_i q_i).
    """
    pictures = [picture for batch in batches for picture in batch]
    rows = []
    for picture, mask in zip(pictures, masks or [torch.ones(1, 1)] * len(pictures), strict=True):
        red, green, blue = (picture.cpu() * BINS).long().clamp(0, BINS - 1).unbind(-1)  # (H, W)
        colour = (red * BINS + green) * BINS + blue
        shown = fitted(mask.cpu(), colour.shape).double()
        rows.append(torch.bincount(colour.flatten(), shown.flatten(), BINS**3))
    counts = torch.stack(rows)
    return (counts / counts.sum(1, keepdim=True)).sqrt()
