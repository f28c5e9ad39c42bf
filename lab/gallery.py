"""What each parameter does to the pictures: `bench/run -m lab gallery` writes docs/gallery-<parameter>.png.

One story, one seed; every row of a sheet is the whole story with another value of the one parameter.
"""

import sys

import numpy as np
from PIL import Image

from bench import inprocess
from bench.inprocess import ROOT

from . import evidence
from .measure import as_bytes
from .rows import Row, render

SEED = 5
ZOOM = 3
STORY = {
    "identity": "A photo of a fox",
    "frames": [
        "wearing a scarf in a meadow",
        "playing in the snow",
        "foraging berries in the forest",
        "at the edge of a village with a river",
        "with a ball at the beach",
    ],
}

SHEETS = {
    "noise": {value: Row(value, noise=value, ipca={}) for value in ("shared", "per frame")},
    "mode": {value: Row(value, svr={"mode": value}, ipca={}) for value in ("svr", "svr-eot", "original")},
    "window_length": {value: Row(str(value), window_length=value, ipca={}) for value in (1, 2, 10)},
    "weaken_beta": {value: Row(str(value), svr={"weaken_beta": value}, ipca={}) for value in (0.05, 0.5, 1.0)},
    "weaken_alpha": {value: Row(str(value), svr={"weaken_alpha": value, "weaken_beta": 0.5}, ipca={}) for value in (0.0, 0.01, 0.1)},
    "enhance_alpha": {value: Row(str(value), svr={"enhance_alpha": value}, ipca={}) for value in (0.0, 0.01, 0.03)},
    "enhance_beta": {value: Row(str(value), svr={"enhance_beta": value}, ipca={}) for value in (0.5, 1.0, 2.0)},
    "strength": {value: Row(str(value), ipca={"strength": value}) for value in (0.0, 1.0, 8.0)},
    "blocks": {value: Row(value, ipca={"blocks": value, "strength": 8.0}) for value in ("all", "mid", "up0")},
    "start_at_step": {value: Row(str(value), ipca={"start_at_step": value, "strength": 8.0}) for value in (0, 4, 10)},
    "dropout": {value: Row(str(value), ipca={"dropout": value, "strength": 8.0}) for value in (0.0, 0.1, 0.5)},
}


def main() -> None:
    studio, _ = evidence.equipment()
    draw = sys.modules[f"{inprocess.load_pack().__name__}.sheet.draw"]
    for name, rows in SHEETS.items():
        pictures, captions = [], []
        for value, row in rows.items():
            told, _ = render(studio, STORY, row, SEED)
            pictures += [enlarged(picture) for picture in as_bytes(told.clamp(-1, 1))]
            captions += [str(value) if index == 0 else "" for index in range(len(told))]
        look = draw.Look(columns=len(STORY["frames"]), margin=8, font_size=12, numbers=False)
        path = ROOT / "docs" / f"gallery-{name}.png"
        draw.draw_sheet(pictures, captions, name, look)[0].quantize(128).save(path, optimize=True)
        print(f"gallery: {path.relative_to(ROOT)}", flush=True)


def enlarged(pixels: np.ndarray) -> Image.Image:
    """[32, 32, 3] bytes to a picture of ZOOM times that size."""
    return Image.fromarray(pixels.repeat(ZOOM, 0).repeat(ZOOM, 1))


if __name__ == "__main__":
    main()
