"""What each parameter does to the pictures: `bench/run -m lab gallery [parameter ..]` writes
docs/gallery-<parameter>.png.

One story, one seed; every row of a sheet is the whole story with another value of the one
parameter. IPCA changes few stories at the strengths that people use, so its sheets show one of the
evidence's stories that it does change.
"""

import sys

from PIL import Image, ImageOps

from bench import inprocess
from bench.inprocess import ROOT
from bench.studio import FRAMES

from ..evidence.own_models import demo_model
from ..evidence.rows import Row, render, studio_on, sweep
from ..evidence.stories import draw_stories
from ..world.measure import as_bytes

SEED, ZOOM = 5, 3
STORY = {
    "identity": "A photo of a fox",
    "frames": [*FRAMES, "at the edge of a village with a river", "with a ball at the beach"],
}

SHEETS = {
    "noise": [Row(value, noise=value, ipca={}) for value in ("shared", "per frame")],
    "mode": sweep("svr", "mode", "svr", "svr-eot", "original"),
    "window_length": [Row(f"{value}", window_length=value, ipca={}) for value in (1, 2, 10)],
    "weaken_beta": sweep("svr", "weaken_beta", 0.05, 0.5, 1.0),
    "weaken_alpha": sweep("svr", "weaken_alpha", 0.0, 0.01, 0.1, weaken_beta=0.5),
    "enhance_alpha": sweep("svr", "enhance_alpha", 0.0, 0.01, 0.03),
    "enhance_beta": sweep("svr", "enhance_beta", 0.5, 1.0, 2.0),
    "strength": sweep("ipca", "strength", 0, 1, 10, 100),
    "blocks": sweep("ipca", "blocks", "all", "down1", "mid", "up0"),
    "protect_identity": [
        Row("on", ipca={"protect_identity": True}),
        Row("off", ipca={"protect_identity": False}),
    ],
    "start_at_step": sweep("ipca", "start_at_step", 0, 4, 10, strength=8.0),
    "dropout": sweep("ipca", "dropout", 0, 0.1, 0.5, strength=8.0),
}
# Numbers of the evidence's stories.
CHANGED_BY_IPCA = {"strength": 13, "blocks": 2, "protect_identity": 17}


def main(*wanted: str) -> None:
    studio = studio_on(*demo_model()[:2])
    drawn = draw_stories(1 + max(CHANGED_BY_IPCA.values()))
    draw = sys.modules[f"{inprocess.load_pack().__name__}.sheet.draw"]
    for name in wanted or SHEETS:
        number = CHANGED_BY_IPCA.get(name)
        story, seed = (STORY, SEED) if number is None else (drawn[number], number)
        pictures, captions = [], []
        for row in SHEETS[name]:
            told = as_bytes(render(studio, story, row, seed)[0].clamp(-1, 1))
            small = map(Image.fromarray, told)
            pictures += [ImageOps.scale(each, ZOOM, Image.Resampling.NEAREST) for each in small]
            captions += [row.label.removeprefix(f"{name} "), *[""] * (len(told) - 1)]
        look = draw.Look(columns=len(story["frames"]), margin=8, font_size=12, numbers=False)
        path = ROOT / "docs" / f"gallery-{name}.png"
        draw.draw_sheet(pictures, captions, name, look)[0].quantize(128).save(path, optimize=True)
        print(f"gallery: {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
