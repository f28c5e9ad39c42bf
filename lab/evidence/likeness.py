"""What tells best whether frames show the same character: `bench/run -m lab likeness [stories]`.

Drawn stories of one kind of character in different scenes, of which it is known what is really
equal: each of body colour, coat colour and pattern is the same in all frames or drawn anew in each.
For each way to compare pictures, the rank correlation over stories of its mean over pairs with the
share of attributes that are equal. Standard errors are by bootstrap over stories, those of
differences by the same resamples.
"""

import json
import sys
from collections.abc import Iterator

import numpy as np
import torch
from scipy import stats

from bench.inprocess import ROOT
from demo.vision import load_demo_vision
from score.colours import histograms
from score.likeness import cosines, mean_pairwise, on_noise, seeded_noise

from ..files import progress
from ..world.captions import IDENTITY
from ..world.render import NAMES, Attributes, Renderer
from .unsaid import FRAMES

NUMBERS = ROOT / "docs/evidence-likeness.json"
RESAMPLES = 1000
ZOOM = 2  # by which pictures are enlarged; 8, as the VAE has it, changes a rank by less than 0.02
TODAY, MASKED = "whole pictures", "masked"
LAYER_2 = "masked, layer 2, tokens in the mask"
Features = dict[str, torch.Tensor]  # of a story's frames, by way: [frames, d]


def draw(count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
    """Pictures [frames, 64, 64, 3] in 0..1, masks of the character with its prop, and the share
    of attributes that are equal in two frames.
    """
    rng, renderer = np.random.default_rng(7), Renderer()
    first, second = np.triu_indices(FRAMES, 1)
    for _ in range(count):
        columns = {
            "kind": np.full(FRAMES, rng.integers(len(NAMES["kind"]))),
            "scene": rng.choice(len(NAMES["scene"]), FRAMES, replace=False),
            "prop": rng.integers(len(NAMES["prop"]), size=FRAMES),
            "flip": rng.integers(2, size=FRAMES),
        }
        for name in IDENTITY:
            drawn = rng.integers(len(NAMES[name]), size=FRAMES)
            columns[name] = drawn if rng.random() < 0.5 else np.full(FRAMES, drawn[0])
        shown, figure = (
            torch.from_numpy(part).float().repeat_interleave(ZOOM, 1).repeat_interleave(ZOOM, 2)
            for part in renderer(Attributes(**columns))
        )
        equal = [columns[name][first] == columns[name][second] for name in IDENTITY]
        yield shown / 255, figure, float(np.mean(equal))


def features(vision, pictures: torch.Tensor, masks: torch.Tensor) -> Features:
    """What each way compares, by cosine."""
    noise = seeded_noise(vision.image_size)
    grey = torch.full_like(noise, 0.5)
    masked = on_noise(pictures, masks, noise)
    changed = {
        TODAY: pictures,
        MASKED: masked,
        "on grey": on_noise(pictures, masks, grey),
        "cropped to the mask": cropped(pictures, masks),
        "masked and cropped": cropped(masked, masks),
    }
    found = {name: vision.encode_image(images) for name, images in changed.items()}
    side = vision.image_size // vision.model.vision_model.embeddings.patch_embedding.stride[0]
    inside = torch.nn.functional.adaptive_avg_pool2d(masks, side).flatten(1)  # (frames, tokens)
    inside = (inside / inside.sum(1, keepdim=True)).unsqueeze(-1)
    ways = {name: out.image_embeds.float() for name, out in found.items()}
    for name in (TODAY, MASKED):
        layers = found[name].all_hidden_states.float()  # (frames, layers, 1 + tokens, d)
        for layer in range(layers.shape[1]):
            tokens = layers[:, layer, 1:]
            ways[f"{name}, layer {layer + 1}, tokens in the mask"] = (tokens * inside).sum(1)
    ways["colours of whole pictures"] = histograms([pictures])
    ways["colours in the mask"] = histograms([pictures], list(masks))
    return ways


def cropped(pictures: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Each picture cut to the square around its mask, at its full size again."""
    cut = []
    for picture, mask in zip(pictures.movedim(-1, 1), masks):
        rows, columns = mask.nonzero().T
        side = int(max(rows.max() - rows.min(), columns.max() - columns.min())) + 1
        top, left = (
            int(min(max((int(at.min()) + int(at.max()) + 1 - side) // 2, 0), size - side))
            for at, size in zip((rows, columns), mask.shape)
        )
        part = picture[None, :, top : top + side, left : left + side]
        cut.append(torch.nn.functional.interpolate(part, mask.shape, mode="bilinear"))
    return torch.cat(cut).movedim(1, -1)


def likenesses(count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By way the mean over pairs of every story, [stories], and what is really equal, [stories]."""
    vision = load_demo_vision()
    vision.return_all_hidden_states = True
    found: dict[str, list[float]] = {}
    equal = []
    for pictures, masks, share in progress(draw(count), "likeness", count, "stories"):
        equal.append(share)
        ways = features(vision, pictures, masks)
        told = {name: mean_pairwise(cosines(rows, rows)) for name, rows in ways.items()}
        for name in (TODAY, MASKED, "masked and cropped", LAYER_2):
            told[f"{name}, mean with the colours in the mask"] = (
                told[name] + told["colours in the mask"]
            ) / 2
        for name, value in told.items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}, np.array(equal)


def correlations(
    values: dict[str, np.ndarray], equal: np.ndarray, resamples: int = RESAMPLES
) -> list[dict[str, float | str]]:
    """By way Spearman's correlation, and its gain over whole and over masked pictures, each with
    its bootstrap standard error.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(equal), size=(resamples, len(equal)))

    def spearman(way: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Of each resample [n, stories]: Pearson's of the ranks."""
        ranks = [stats.rankdata(part[chosen], axis=1) for part in (way, equal)]
        a, b = (part - part.mean(1, keepdims=True) for part in ranks)
        return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))

    each = {name: spearman(way, drawn) for name, way in values.items()}
    whole = {name: stats.spearmanr(way, equal).statistic for name, way in values.items()}
    rows: list[dict[str, float | str]] = []
    for name in values:
        numbers = {"rank": whole[name], "error": each[name].std()}
        for base in (TODAY, MASKED):
            numbers[f"gain over {base}"] = whole[name] - whole[base]
            numbers[f"its error over {base}"] = (each[name] - each[base]).std()
        rounded = {key: round(float(value), 4) for key, value in numbers.items()}
        rows.append({"way": name, **rounded})
    return rows


def main(count: int = 400) -> None:
    from .report import main as report

    with torch.inference_mode():
        rows = correlations(*likenesses(count))
    NUMBERS.write_text(json.dumps({"stories": count, "rows": rows}, indent=1) + "\n")
    report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
