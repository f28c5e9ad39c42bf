"""The evidence on the demo model: the same random stories rendered in several ways, and judged.

Every row goes through the pack's nodes and ComfyUI's own sampling. Identities leave attributes
unsaid, so that there is something to keep; in a second measure they say everything, and few steps
without CFG make that hard to draw. In a third there is a cast (`cast.py`), in a fourth a place in
the cast (`places.py`). A full run, of at least 200 stories, writes evidence.md, evidence.json and
pictures into docs/, another one into output/evidence/.
"""

from argparse import Namespace
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

import torch
from PIL import Image

from bench import inprocess
from bench.studio import Studio
from demo.model import WEIGHTS

from ..files import code
from ..training import judge as judging
from ..world.measure import as_bytes
from . import report
from .cast import draw_casts, measure_cast
from .loop import Job, Study, below_each_other, beside_each_other, costs
from .places import NOT_NAMED, PLACE_ROWS, draw_places, measure_places
from .report import CAST, MEASURES, PLACE, SAID, SWEEP_STORIES, UNSAID
from .rows import DOSES, ROWS, SWEEPS, render
from .unsaid import FRAMES, SEED, draw_stories, measure

FULL_RUN = 200
PARTS = ("doses", "said", "casts", "places", "sweeps")  # what is rendered after rows (a) to (g)
# What a result depends on besides weights, story, row and setting.
CODE = (
    *("story", "svr", "ipca", "batch", "references", "families.py", "demo/model.py", "lab/world"),
    *(f"nodes/{name}.py" for name in ("story_prompt", "svr_reweight", "ipca_patch", "story_batch")),
    *(f"lab/evidence/{name}.py" for name in ("unsaid", "cast", "places", "rows")),
    "bench/studio.py",
)


def tell(job: Job) -> tuple[dict[str, float], Image.Image]:
    """One story in one row: its columns, and its pictures side by side."""
    studio, judge = equipment()
    with torch.inference_mode(), costs() as spent:  # as the server does
        latents, seconds = render(studio, job.story, job.row, job.seed, job.setting)
    pictures = latents.clamp(-1, 1).clone()
    if "place" in job.story:
        columns = measure_places(pictures, job.story)
    else:
        measured = measure_cast if "cast" in job.story else measure
        columns = measured(pictures, job.story, judge)
    strip = beside_each_other([Image.fromarray(picture) for picture in as_bytes(pictures)])
    return {**columns, "seconds": seconds, **spent}, strip


@lru_cache(maxsize=1)
def equipment() -> tuple[Studio, judging.Judge]:
    """The nodes on the demo model, and the judge: once per process."""
    inprocess.load_pack()
    import nodes

    model, clip, *_ = nodes.NODE_CLASS_MAPPINGS["StoryDemoModel"].execute().args
    studio = Studio(nodes.NODE_CLASS_MAPPINGS, model, clip, identity="A photo of a fox")
    studio.negative = studio.encode("")
    return studio, judging.load()


def jobs(count: int, parts: Iterable[str] = PARTS) -> list[list[Job]]:
    """What is to be rendered: rows (a) to (g) of all stories, then the parts story by story, so
    that a stopped run has all rows of as many stories; sweeps last.
    """
    unsaid, said = draw_stories(count), draw_stories(count, SAID.said)
    casts = draw_casts(count, FRAMES, SEED)
    places = [draw_places(count, FRAMES, SEED, named) for named in (True, False)]
    doses = [*chain(*DOSES.values())]
    ways = [(PLACE, places[0], row) for row in PLACE_ROWS.values()]
    drawn = {
        "doses": [(UNSAID, unsaid, row) for row in doses],
        "said": [(SAID, said, row) for row in (ROWS["d"], ROWS["e"], *doses)],
        "casts": [(CAST, casts, ROWS[name]) for name in "de"],
        "places": [*ways, (PLACE, places[1], NOT_NAMED)],
    }
    main = [(UNSAID, unsaid, row) for row in ROWS.values()]
    more = [way for part in parts for way in drawn.get(part, [])]
    swept = [(UNSAID, unsaid, row) for row in chain(*SWEEPS.values())] if "sweeps" in parts else []
    stages = [(main, count), (more, count), (swept, min(count, SWEEP_STORIES))]
    return [
        [
            Job(setting, seed, stories[seed], row)
            for seed in range(number)
            for setting, stories, row in wanted
        ]
        for wanted, number in stages
        if wanted
    ]


def study(options: Namespace) -> Study:
    judging.load()  # trains it where there is none, before the processes part
    count = options.stories or FULL_RUN
    return Study(
        depends_on=(WEIGHTS, judging.WEIGHTS, code(*CODE)),
        stages=jobs(count, options.sweeps),
        tell=tell,
        tables=report.tables,
        write=lambda results, folder: report.write(results, folder, count),
        strips={
            "evidence-cast.png": [(CAST, ROWS["e"])],
            "evidence-place.png": [(PLACE, ROWS["e"])],
            **{f"evidence-{name}.png": [(UNSAID, row)] for name, row in ROWS.items()},
        },
        folder="output/evidence",
        whole_folder="docs" if count >= FULL_RUN and set(options.sweeps) == set(PARTS) else "",
        measures=MEASURES,
        workers=options.workers,
        sheet=lambda ways: below_each_other(ways[0], gap=1, zoom=3),
    )
