"""The evidence on the demo model: the same random stories rendered in several ways, and judged.

Every row goes through the pack's nodes and ComfyUI's own sampling. Identities leave attributes
unsaid, so that there is something to keep; in a second measure they say everything, and few steps
without CFG make that hard to draw. In a third there is a cast, in a fourth a place in it. A full
run, of at least 200 stories, writes evidence.md, evidence.json and pictures into docs/, another one
into output/evidence/.
"""

from argparse import Namespace
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain

import numpy as np
import torch
from PIL import Image, ImageOps

from bench.studio import Studio
from demo.model import WEIGHTS

from ..files import code
from ..training import judge as judging
from ..world.measure import as_bytes
from . import report
from .loop import Job, Study, below_each_other, costs, story_by_story
from .report import CAST, PLACE, SAID, SWEEP_STORIES, UNSAID
from .rows import DOSES, NOT_NAMED, ROWS, SWEEPS, pack_nodes, render, studio_on
from .stories import draw_casts, draw_places, draw_stories, measure

FULL_RUN = 200
PARTS = ("doses", "said", "casts", "places", "sweeps")  # what is rendered after rows (a) to (g)
# What a result depends on besides weights, story, row and setting.
CODE = (
    *("story", "svr", "ipca", "batch", "references", "families.py", "demo/model.py", "lab/world"),
    *(f"nodes/{name}.py" for name in ("story_prompt", "svr_reweight", "ipca_patch", "story_batch")),
    *(f"lab/evidence/{name}.py" for name in ("stories", "rows")),
    "bench/studio.py",
)


def told(
    job: Job, render: Callable, studio: object, judge: judging.Judge
) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: its columns, and its pictures side by side."""
    with torch.inference_mode(), costs() as spent:  # as the server does
        latents, seconds = render(studio, job.story, job.row, job.seed, job.setting)
    pictures = latents.clamp(-1, 1).clone()
    strip = Image.fromarray(np.hstack(as_bytes(pictures)))
    return {**measure(pictures, job.story, judge), "seconds": seconds, **spent}, strip


def tell(job: Job) -> tuple[dict[str, float], Image.Image]:
    return told(job, render, *equipment())


@lru_cache(maxsize=1)
def equipment() -> tuple[Studio, judging.Judge]:
    """The nodes on the demo model, and the judge: once per process."""
    model, clip, *_ = pack_nodes()["StoryDemoModel"].execute().args
    return studio_on(model, clip), judging.load()


def jobs(count: int, parts: Iterable[str] = PARTS) -> list[list[Job]]:
    """What is to be rendered: rows (a) to (g) of all stories, then the parts; sweeps last."""
    unsaid, said, casts = draw_stories(count), draw_stories(count, SAID.said), draw_casts(count)
    doses, both = [*chain(*DOSES.values())], [ROWS["d"], ROWS["e"]]
    of_part = {
        "doses": [(UNSAID, unsaid, doses)],
        "said": [(SAID, said, both + doses)],
        "casts": [(CAST, casts, both)],
        "places": [
            (PLACE, draw_places(count), [ROWS[name] for name in "abdeg"]),
            (PLACE, draw_places(count, named=False), [NOT_NAMED]),
        ],
    }
    main = [(UNSAID, unsaid, ROWS.values())]
    more = [way for part in parts for way in of_part.get(part, [])]
    swept = [(UNSAID, unsaid[:SWEEP_STORIES], [*chain(*SWEEPS.values())])]
    stages = [main, more, swept if "sweeps" in parts else []]
    return [story_by_story(*ways) for ways in stages if ways]


def study(options: Namespace) -> Study:
    judging.load()  # trains it where there is none, before the processes part
    count = options.stories or FULL_RUN
    return Study(
        depends_on=(WEIGHTS, judging.WEIGHTS, code(*CODE)),
        stages=jobs(count, options.sweeps),
        tell=tell,
        tables=report.printed,
        write=report.write,
        strips={
            "evidence-cast.png": [CAST.prefix + ROWS["e"].label],
            "evidence-place.png": [PLACE.prefix + ROWS["e"].label],
            **{f"evidence-{name}.png": [row.label] for name, row in ROWS.items()},
        },
        folder="output/evidence",
        whole_folder="docs" if count >= FULL_RUN and set(options.sweeps) == set(PARTS) else "",
        workers=options.workers,
        sheet=lambda ways: ImageOps.scale(
            below_each_other(ways[0], 1), 3, Image.Resampling.NEAREST
        ),
    )
