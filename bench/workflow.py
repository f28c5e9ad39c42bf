"""From a workflow file as the page saves it to the prompt that the server runs, as the page
converts it.
"""

import copy
import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from bench.subgraphs import all_nodes, unfolded

ROOT = Path(__file__).resolve().parents[1]
OLD = ROOT / "tests" / "data"
SKIPPED_TYPES = {"Note", "MarkdownNote"}
# Loaders and the folder of the file that their first widget names: what a validating server must
# find there.
FILES = {
    "CheckpointLoaderSimple": "checkpoints",
    "UNETLoader": "diffusion_models",
    "CLIPLoader": "text_encoders",
    "VAELoader": "vae",
    "LoraLoader": "loras",
    "ControlNetLoader": "controlnet",
    "CLIPVisionLoader": "clip_vision",
    "LoadImage": "input",
}
CONTROLLED = {
    "seed",
    "noise_seed",
}  # the page stores "control after generate" after these, and where the server says so
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"  # a choice that brings widgets of its own, in newer ComfyUI
CAME_WITH_0_3_75 = {"SaveImageTextDataSetToFolder", "Flux2Scheduler"}  # core's nodes
OUTPUT = " [output]"  # ends the name of a picture that Load Image takes from the output folder
OF_A_WIDGET = re.compile(r"%([^%.]+)\.([^%]+)%")  # in a text: the value of another node's widget


def load(name: str) -> dict:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def newer_nodes(name: str, info: dict) -> set[str]:
    """Core's nodes that a bundled workflow has and an older ComfyUI lacks, and types of Load
    CLIP.
    """
    nodes = load(name)["nodes"]
    asked = {node["widgets_values"][1] for node in nodes if node["type"] == "CLIPLoader"}
    missing = asked - set(info["CLIPLoader"]["input"]["required"]["type"][0])
    return missing | {node["type"] for node in nodes} & CAME_WITH_0_3_75 - set(info)


def old_workflows() -> dict[str, dict]:
    """Workflows as earlier versions of the pack saved them, by version and name."""
    return {
        f"{path.parent.name}/{path.stem}": json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(OLD.glob("*/*.json"))
    }


def names() -> list[str]:
    """The bundled workflows."""
    return sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))


def wanted_files() -> set[tuple[str, str]]:
    """(folder, file name) of every model and picture that the bundled workflows name."""
    named = {
        (FILES[node["type"]], node["widgets_values"][0])
        for name in names()
        for node in all_nodes(load(name))
        if node["type"] in FILES
    }
    return {
        ("output", file.removesuffix(OUTPUT)) if file.endswith(OUTPUT) else (folder, file)
        for folder, file in named
    }


def runs_on_the_demo_model(name: str) -> bool:
    return any(node["type"] == "StoryDemoModel" for node in all_nodes(load(name)))


def saved(prompt: dict, outputs: dict, prefix: str = "story/frame") -> list:
    """What the Save Image with this file name prefix saved, of a run's outputs."""
    (node,) = (
        node
        for node, item in prompt.items()
        if item["class_type"] == "SaveImage" and item["inputs"]["filename_prefix"] == prefix
    )
    return outputs[node]


def saved_pixels(prompt: dict, outputs: dict, prefix: str = "story/frame") -> list[np.ndarray]:
    """The same as whole numbers [H, W, 3], so that differences do not wrap around."""
    return [
        np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int)
        for image in saved(prompt, outputs, prefix)
    ]


def pictures(client, prompt: dict, prefix: str = "story/frame") -> list[np.ndarray]:
    """Run the prompt; what its Save Image of that prefix saved."""
    return saved_pixels(prompt, client.run(prompt), prefix)


def same_pixels(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    """As many pictures, equal but for rounding."""
    return len(a) == len(b) and all(np.abs(x - y).max() <= 1 for x, y in zip(a, b))


def to_api(workflow: dict, object_info: dict) -> dict:
    """The API prompt of a UI-format workflow: {node id: {class_type, inputs}}."""
    workflow = unfolded(workflow)
    origins = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] in SKIPPED_TYPES:
            continue
        if node.get("mode", 0) != 0:
            raise ValueError(
                f"node {node['id']} ({node['type']}) is muted or bypassed: not supported here"
            )
        if node["type"] not in object_info:
            raise ValueError(f"the server has no node {node['type']}: its log says why")
        inputs = {
            name: _filled(value, workflow)
            for name, value in {
                **_widget_values(node, object_info[node["type"]]),
                **node.get("promoted", {}),
            }.items()
        }
        for slot in node.get("inputs", []):
            if slot.get("link") is not None:
                inputs[slot["name"]] = list(origins[slot["link"]])
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def substitute(prompt: dict, class_type: str, replacement: str, inputs: dict) -> dict:
    """A copy of the prompt in which every `class_type` is a `replacement` with the same outputs."""
    out = copy.deepcopy(prompt)
    for node in out.values():
        if node["class_type"] == class_type:
            node.update(class_type=replacement, inputs=dict(inputs))
    return out


def with_inputs(prompt: dict, class_type: str, **inputs) -> dict:
    """A copy of the prompt with these inputs on every node of that class."""
    out = copy.deepcopy(prompt)
    found = [node for node in out.values() if node["class_type"] == class_type]
    if not found:
        raise ValueError(f"the prompt has no {class_type}")
    for node in found:
        node["inputs"].update(inputs)
    return out


def with_collector(prompt: dict, load_balance: bool = False) -> dict:
    """A copy of the prompt with ComfyUI-Distributed's collector between Story Slate and Story
    Gather, as the workflow's note says.
    """
    out = copy.deepcopy(prompt)
    (slate,) = (node for node, item in out.items() if item["class_type"] == "StorySlate")
    out["collector"] = {
        "class_type": "DistributedCollector",
        "inputs": {"images": [slate, 0], "load_balance": load_balance},
    }
    return with_inputs(out, "StoryGather", images=["collector", 0])


def _widget_values(node: dict, info: dict) -> dict:
    """By name. A workflow saved before a widget came has no value for it: it has its default."""
    return _read(info["input"], list(node.get("widgets_values") or []))


def _read(inputs: dict, values: list, before: str = "") -> dict:
    """The values of these inputs' widgets, taken off `values`, in the page's order. Where a choice
    brings widgets of its own, these come right after it; `before` is its name and a dot.
    """
    found = {}
    for short, (kind, *more) in {
        **inputs.get("required", {}),
        **inputs.get("optional", {}),
    }.items():
        name, options = before + short, more[0] if more else {}
        if not _is_widget(kind, options):
            continue
        if kind == DYNAMIC:
            choices = {choice["key"]: choice["inputs"] for choice in options["options"]}
            found[name] = values.pop(0) if values else next(iter(choices))
            found.update(_read(choices[found[name]], values, f"{name}."))
            continue
        found[name] = values.pop(0) if values else options["default"]
        controlled = short in CONTROLLED or options.get("control_after_generate")
        if controlled and values and values[0] in ("fixed", "increment", "decrement", "randomize"):
            values.pop(0)
    return found


def _filled(value, workflow: dict):
    """A text with every %node.widget% filled in by the first widget of the node of that type or
    title.
    """
    if not isinstance(value, str):
        return value

    def of(match: re.Match) -> str:
        found = [
            node for node in workflow["nodes"] if match[1] in (node["type"], node.get("title"))
        ]
        return str(found[0]["widgets_values"][0]) if found else match[0]

    return OF_A_WIDGET.sub(of, value)


def _is_widget(kind, options: dict) -> bool:
    return not options.get("forceInput") and (
        isinstance(kind, list) or kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC)
    )
