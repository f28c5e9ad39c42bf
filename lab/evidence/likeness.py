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
import pandas as pd
import torch
from scipy import stats
from torchvision.transforms.functional import resized_crop

from bench.inprocess import ROOT
from demo.vision import load_demo_vision
from score.colours import histograms
from score.likeness import cosines, mean_pairwise, on_noise, seeded_noise

from ..files import progress
from ..world.captions import IDENTITY
from ..world.render import NAMES, Attributes, Renderer
from .stories import FRAMES

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
        found = mask.nonzero()
        low, high = found.min(0).values, found.max(0).values + 1
        side = int((high - low).max())
        ends = torch.tensor(mask.shape) - side
        top, left = ((low + high - side) // 2).clamp(min=0).minimum(ends).tolist()
        cut.append(resized_crop(picture, top, left, side, side, mask.shape, antialias=False))
    return torch.stack(cut).movedim(1, -1)


def likenesses(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The mean over pairs [stories, ways], and what is really equal, [stories]."""
    vision = load_demo_vision()
    vision.return_all_hidden_states = True
    found, equal = [], []
    for pictures, masks, share in progress(draw(count), "likeness", count, "stories"):
        equal.append(share)
        ways = features(vision, pictures, masks)
        found.append({name: mean_pairwise(cosines(rows, rows)) for name, rows in ways.items()})
    told = pd.DataFrame(found)
    for name in (TODAY, MASKED, "masked and cropped", LAYER_2):
        both = told[[name, "colours in the mask"]]
        told[f"{name}, mean with the colours in the mask"] = both.mean(axis=1)
    return told, np.array(equal)


def correlations(
    values: pd.DataFrame, equal: np.ndarray, resamples: int = RESAMPLES
) -> list[dict[str, float | str]]:
    """By way Spearman's correlation, and its gain over whole and over masked pictures, each with
    its bootstrap standard error.
    """
    drawn = np.random.default_rng(0).integers(len(equal), size=(resamples, len(equal)))

    def spearman(chosen: np.ndarray) -> pd.DataFrame:
        """Of each way and resample: Pearson's of the ranks."""
        both = values.T.to_numpy(), equal
        ranks = [stats.rankdata(part[..., chosen], axis=-1) for part in both]
        a, b = (part - part.mean(-1, keepdims=True) for part in ranks)
        found = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
        return pd.DataFrame(found, index=values.columns)

    each, whole = spearman(drawn), spearman(np.arange(len(equal))[None])
    told = pd.DataFrame({"rank": whole[0], "error": each.std(axis=1, ddof=0)})
    for base in (TODAY, MASKED):
        told[f"gain over {base}"] = whole[0] - whole[0][base]
        told[f"its error over {base}"] = (each - each.loc[base]).std(axis=1, ddof=0)
    return told.round(4).rename_axis("way").reset_index().to_dict("records")


def main(count: int = 400) -> None:
    from .report import main as report

    with torch.inference_mode():
        rows = correlations(*likenesses(count))
    NUMBERS.write_text(json.dumps({"stories": count, "rows": rows}, indent=1) + "\n")
    report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
