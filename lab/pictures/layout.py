"""Lays the bundled workflows out again, so that they can be read when they open: `bench/run -m lab
layout [names]`.

Columns, their order and the groups' members stay; what changes are the gaps, by the heights that
the nodes really have in the page, classic and in Nodes 2.0, and the view: at least MIN_SCALE,
beginning at the Read me, which is made the first.
"""

import json
import sys
import tempfile
from pathlib import Path

from bench.inprocess import ROOT
from bench.page import open_template, set_setting
from bench.workflow import load, names
from lab.pictures.page import browser_page, comfyui

MIN_SCALE, MAX_SCALE = 0.7, 0.75  # a note's letters are 10 pixels high at 1
WINDOW = (1500, 900)
BEGIN = (
    40,
    60,
)  # where the first node stands, in the graph and, below the page's menus, on the screen
ON_SCREEN = (90, 172)
TITLE, GAP, COLUMN_GAP = (
    30,
    80,
    60,
)  # the title stands above a position; Nodes 2.0 may open the upper row up to 60 lower
GROUP_EDGE, GROUP_TITLE = 20, 50
NODES_2_SCALE = 1.2  # by which Nodes 2.0 spreads a workflow that was saved by the classic page


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
        comfyui(Path(folder)) as server,
        browser_page(server.url) as page,
    ):
        for nodes_2, scale in ((False, 1.0), (True, NODES_2_SCALE)):
            set_setting(page, "Comfy.VueNodes.Enabled", nodes_2)
            page.wait_for_timeout(1500)
            for name in wanted:
                open_template(page, name)
                page.evaluate(
                    "() => { app.canvas.ds.scale = 0.3; app.canvas.ds.offset = [200, 400];"
                    " app.canvas.setDirty(true, true); }"
                )
                page.wait_for_timeout(1200)
                for node, height in page.evaluate(
                    "app.graph._nodes.map(node => [node.id, node.size[1]])"
                ):
                    found[name][node] = max(found[name].get(node, 0), height / scale)
    return found


def arrange(workflow: dict, heights: dict[int, float]) -> None:
    """Move the nodes, fit the groups round their members and set the view. In place."""
    members = [(group, _members(group, workflow["nodes"])) for group in workflow["groups"]]
    columns: dict[float, list[dict]] = {}
    for node in workflow["nodes"]:
        columns.setdefault(node["pos"][0], []).append(node)
    top = BEGIN[1] + (GROUP_TITLE - GROUP_EDGE if members else 0)
    x = BEGIN[0]
    for _, column in sorted(columns.items()):
        y = top
        for node in sorted(
            column, key=lambda node: (node.get("title") != "Read me", node["pos"][1])
        ):
            node["pos"] = [x, y]
            y += round(max(heights[node["id"]], node["size"][1])) + TITLE + GAP
        x += max(node["size"][0] for node in column) + COLUMN_GAP
    for group, inside in members:
        left, up = (
            min(node["pos"][0] for node in inside),
            min(node["pos"][1] for node in inside) - TITLE,
        )
        right = max(node["pos"][0] + node["size"][0] for node in inside)
        down = round(
            max(node["pos"][1] + max(node["size"][1], heights[node["id"]]) for node in inside)
        )
        group["bounding"] = [
            left - GROUP_EDGE,
            up - GROUP_TITLE,
            right - left + 2 * GROUP_EDGE,
            down - up + GROUP_TITLE + GROUP_EDGE,
        ]
    bottom = max(node["pos"][1] + node["size"][1] for node in workflow["nodes"])
    fits = min(
        (WINDOW[0] - ON_SCREEN[0]) / (x - BEGIN[0]),
        (WINDOW[1] - ON_SCREEN[1]) / (bottom - BEGIN[1]),
    )
    scale = round(min(MAX_SCALE, max(MIN_SCALE, fits)), 2)
    workflow["extra"]["ds"] = {
        "scale": scale,
        "offset": [round(at / scale - begin) for at, begin in zip(ON_SCREEN, BEGIN)],
    }


def _members(group: dict, nodes: list[dict]) -> list[dict]:
    left, top, width, height = group["bounding"]
    return [
        node
        for node in nodes
        if left <= node["pos"][0] < left + width and top <= node["pos"][1] < top + height
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
