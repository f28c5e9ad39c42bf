"""Lays the bundled workflows out again, so that they can be read when they open: `bench/run -m lab
layout [names]`.

Columns, their order and the groups' members stay; what changes are the gaps, by the heights that
the nodes really have in the page, classic and in Nodes 2.0, and the view: at least MIN_SCALE,
beginning at the Read me, which is made the first.
"""

import json
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from bench.inprocess import ROOT
from bench.page import chromium, open_template, page_server, set_setting
from bench.workflow import load, names

from .page import BARE, opened

MIN_SCALE, MAX_SCALE = 0.7, 0.75  # a note's letters are 10 pixels high at 1
WINDOW = (1500, 900)
# Where the first node is: in the graph; on the screen, below the page's menus.
BEGIN, ON_SCREEN = (40, 60), (90, 172)
# The title is above a position; Nodes 2.0 may open the upper row up to 60 lower.
TITLE, GAP, COLUMN_GAP = 30, 80, 60
GROUP_EDGE, GROUP_TITLE = 20, 50
NODES_2_SCALE = 1.2  # by which Nodes 2.0 spreads a workflow that was saved by the classic page
ALL_IN_VIEW = """app.canvas.ds.scale = 0.3; app.canvas.ds.offset = [200, 400];
app.canvas.setDirty(true, true);"""


def main(*chosen: str) -> None:
    wanted = chosen or names()
    heights = measured_heights(wanted)
    for name in wanted:
        workflow = load(name)
        arrange(workflow, heights[name])
        text = json.dumps(workflow, ensure_ascii=False)
        (ROOT / "workflows" / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: zoom {workflow['extra']['ds']['scale']}")


def measured_heights(wanted) -> dict[str, dict[int, float]]:
    """The larger of each node's heights in the two styles, without its title, in the classic page's
    units.
    """
    found: dict[str, dict[int, float]] = {name: {} for name in wanted}
    with (
        tempfile.TemporaryDirectory() as folder,
        page_server(Path(folder), settings=BARE) as server,
        chromium() as browser,
    ):
        page = opened(browser, server.url)
        for nodes_2, scale in ((False, 1.0), (True, NODES_2_SCALE)):
            set_setting(page, "Comfy.VueNodes.Enabled", nodes_2)
            page.wait_for_timeout(1500)
            for name, known in found.items():
                open_template(page, name)
                page.evaluate(ALL_IN_VIEW)
                page.wait_for_timeout(1200)
                for node, height in page.evaluate("app.graph._nodes.map(n => [n.id, n.size[1]])"):
                    known[node] = max(known.get(node, 0), height / scale)
    return found


def arrange(workflow: dict, heights: dict[int, float]) -> None:
    """Move the nodes, fit the groups around their members and set the view. In place."""
    nodes, groups = workflow["nodes"], workflow["groups"]
    high = {node["id"]: max(heights[node["id"]], node["size"][1]) for node in nodes}
    members = [[node for node in nodes if is_in(node, *group["bounding"])] for group in groups]
    x, top = BEGIN[0], BEGIN[1] + (GROUP_TITLE - GROUP_EDGE if groups else 0)
    for _, column in groupby(sorted(nodes, key=place), key=lambda node: node["pos"][0]):
        y, width = top, 0
        for node in column:
            node["pos"] = [x, y]
            y += round(high[node["id"]]) + TITLE + GAP
            width = max(width, node["size"][0])
        x += width + COLUMN_GAP
    for group, inside in zip(groups, members):
        left = min(node["pos"][0] for node in inside) - GROUP_EDGE
        above = min(node["pos"][1] for node in inside) - TITLE - GROUP_TITLE
        right = max(node["pos"][0] + node["size"][0] for node in inside) + GROUP_EDGE
        down = round(max(node["pos"][1] + high[node["id"]] for node in inside)) + GROUP_EDGE
        group["bounding"] = [left, above, right - left, down - above]
    ends = (x, max(node["pos"][1] + node["size"][1] for node in nodes))
    fits = min((WINDOW[axis] - ON_SCREEN[axis]) / (ends[axis] - BEGIN[axis]) for axis in (0, 1))
    scale = round(min(MAX_SCALE, max(MIN_SCALE, fits)), 2)
    offset = [round(at / scale - begin) for at, begin in zip(ON_SCREEN, BEGIN)]
    workflow["extra"]["ds"] = {"scale": scale, "offset": offset}


def place(node: dict) -> tuple:
    """The order of nodes: by columns, in each the Read me first."""
    return node["pos"][0], node.get("title") != "Read me", node["pos"][1]


def is_in(node: dict, left: float, top: float, width: float, height: float) -> bool:
    return left <= node["pos"][0] < left + width and top <= node["pos"][1] < top + height


if __name__ == "__main__":
    main(*sys.argv[1:])
