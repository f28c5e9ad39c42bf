"""Likeness of pictures by their image embeddings, and fit to captions, as in One-Prompt-One-Story
(arXiv 2501.13554), section 4.

CLIP-I is the mean cosine between the embeddings of all pairs of a story's pictures, CLIP-T the mean
cosine between each picture's embedding and its own caption's. Embeddings are [n, d], any float
dtype; results are float64 on the CPU.
"""

import math

import torch

SAME = 1e-6  # likenesses closer than this differ only by rounding


def cosines(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Cosine of every row [n, d] with every column [m, d]: [n, m]. A row of zeros has no direction
    and gives nan.
    """
    a, b = rows.detach().cpu().double(), columns.detach().cpu().double()
    found: torch.Tensor = (a / a.norm(dim=-1, keepdim=True)) @ (b / b.norm(dim=-1, keepdim=True)).T
    return found


def mean_pairwise(likeness: torch.Tensor) -> float:
    """Mean over all pairs of different pictures of a matrix [n, n]: CLIP-I. nan for a single
    picture, which has no pair.
    """
    first, second = torch.triu_indices(len(likeness), len(likeness), offset=1)
    return float(likeness[first, second].mean()) if len(first) else math.nan


def to_others(likeness: torch.Tensor) -> torch.Tensor:
    """Each picture's mean likeness to all others: [n], nan for a single picture."""
    count = likeness.shape[0]
    return (
        (likeness.sum(1) - likeness.diagonal()) / (count - 1)
        if count > 1
        else torch.full((1,), math.nan, dtype=likeness.dtype)
    )


def odd_one(likeness: torch.Tensor) -> int | None:
    """Index of the picture that is least like the others; None where no single one is: fewer than
    three, or all alike.
    """
    return lowest_one(to_others(likeness)) if likeness.shape[0] > 2 else None


def lowest_one(values: torch.Tensor) -> int | None:
    """Index of the lowest of [n]; None where no single one is: fewer than two, or equal but for
    rounding.
    """
    if len(values) < 2:
        return None
    lowest, next_lowest = values.topk(2, largest=False).values.tolist()
    return int(values.argmin()) if next_lowest - lowest > SAME else None


def gain_over(likeness: torch.Tensor, baseline: torch.Tensor) -> torch.Tensor:
    """How far from its baseline a likeness is, (likeness - baseline) / (1 - baseline): 0 as the
    baseline, 1 the same picture.

    Both are any shape that broadcasts; below 0 where the pictures are less alike than the
    baseline's. nan where the baseline's are one picture already, so that nothing is left to gain.
    """
    left = 1 - baseline
    return torch.where(left > SAME, (likeness - baseline) / left, math.nan)


def on_noise(pictures: torch.Tensor, masks: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Pictures [n, H, W, 3] with all but the mask [n, H, W] in 0..1 replaced by `noise` [h, w, 3],
    the same for all.

    The noise replaces the pixels without smoothing, so that as much of it is left after the vision
    model's own resizing whatever the picture's size.
    """
    size = pictures.shape[1:3]
    laid = (
        torch.nn.functional.interpolate(
            noise.movedim(-1, 0).unsqueeze(0), size=size, mode="nearest"
        )
        .movedim(1, -1)
        .to(pictures)
    )
    return laid.lerp(pictures, masks.to(pictures).unsqueeze(-1))


def fitted(mask: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """A mask [h, w] at the size [H, W] of its picture, in 0..1."""
    resized = torch.nn.functional.interpolate(mask[None, None].float(), size, mode="bilinear")
    return resized[0, 0].clamp(0, 1)


def seeded_noise(size: int) -> torch.Tensor:
    """Uniform noise [size, size, 3] in 0..1, the same at every call."""
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(0))
