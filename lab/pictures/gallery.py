"""What each parameter does to the pictures: `bench/run -m lab gallery [parameter ..]` writes
docs/gallery-<parameter>.png.

One story, one seed; every row of a sheet is the whole story with another value of the one
parameter. IPCA changes few stories at the strengths that people use, so its sheets show one of the
evidence's stories that it does change.
"""

import sys

import numpy as np
from PIL import Image

from bench import inprocess
from bench.inprocess import ROOT

from ..evidence import demo as evidence
from ..evidence.rows import Row, render
from ..world.measure import as_bytes

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
    "mode": {
        value: Row(value, svr={"mode": value}, ipca={}) for value in ("svr", "svr-eot", "original")
    },
    "window_length": {value: Row(str(value), window_length=value, ipca={}) for value in (1, 2, 10)},
    "weaken_beta": {
        value: Row(str(value), svr={"weaken_beta": value}, ipca={}) for value in (0.05, 0.5, 1.0)
    },
    "weaken_alpha": {
        value: Row(str(value), svr={"weaken_alpha": value, "weaken_beta": 0.5}, ipca={})
        for value in (0.0, 0.01, 0.1)
    },
    "enhance_alpha": {
        value: Row(str(value), svr={"enhance_alpha": value}, ipca={}) for value in (0.0, 0.01, 0.03)
    },
    "enhance_beta": {
        value: Row(str(value), svr={"enhance_beta": value}, ipca={}) for value in (0.5, 1.0, 2.0)
    },
    "strength": {
        value: Row(str(value), ipca={"strength": value}) for value in (0.0, 1.0, 10.0, 100.0)
    },
    "blocks": {
        value: Row(value, ipca={"blocks": value}) for value in ("all", "down1", "mid", "up0")
    },
    "protect_identity": {
        value: Row(value, ipca={"protect_identity": value == "on"}) for value in ("on", "off")
    },
    "start_at_step": {
        value: Row(str(value), ipca={"start_at_step": value, "strength": 8.0})
        for value in (0, 4, 10)
    },
    "dropout": {
        value: Row(str(value), ipca={"dropout": value, "strength": 8.0})
        for value in (0.0, 0.1, 0.5)
    },
}
CHANGED_BY_IPCA = {
    "strength": 13,
    "blocks": 2,
    "protect_identity": 17,
}  # numbers of the evidence's stories


def main() -> None:
    studio, _ = evidence.equipment()
    drawn = evidence.draw_stories(1 + max(CHANGED_BY_IPCA.values()))
    draw = sys.modules[f"{inprocess.load_pack().__name__}.sheet.draw"]
    for name, rows in SHEETS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        number = CHANGED_BY_IPCA.get(name)
        story, seed = (STORY, SEED) if number is None else (drawn[number], number)
        pictures, captions = [], []
        for value, row in rows.items():
            told, _ = render(studio, story, row, seed)
            pictures += [enlarged(picture) for picture in as_bytes(told.clamp(-1, 1))]
            captions += [str(value) if index == 0 else "" for index in range(len(told))]
        look = draw.Look(columns=len(story["frames"]), margin=8, font_size=12, numbers=False)
        path = ROOT / "docs" / f"gallery-{name}.png"
        draw.draw_sheet(pictures, captions, name, look)[0].quantize(128).save(path, optimize=True)
        print(f"gallery: {path.relative_to(ROOT)}", flush=True)


def enlarged(pixels: np.ndarray) -> Image.Image:
    """[32, 32, 3] bytes to a picture of ZOOM times that size."""
    return Image.fromarray(pixels.repeat(ZOOM, 0).repeat(ZOOM, 1))


if __name__ == "__main__":
    main()
