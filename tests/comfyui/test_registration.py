"""The pack as ComfyUI's loader sees it."""

import dataclasses
import json
import re
import sys

import pytest

from bench.inprocess import ROOT

IDS = [
    *("IPCAPatch", "SVRReweight", "StoryBatch", "StoryDemoModel", "StoryGather", "StoryPrompt"),
    *("StoryReference", "StoryScore", "StorySheet", "StorySlate"),
]

CONTRACT = {
    "StoryPrompt": (["identity", "frames", "window_length"], ["story", "frame_count"]),
    "SVRReweight": (
        [
            "clip",
            "story",
            "mode",
            "enhance_alpha",
            "enhance_beta",
            "weaken_alpha",
            "weaken_beta",
            "pooled",
        ],
        ["frames"],
    ),
    "IPCAPatch": (
        [
            "model",
            "clip",
            "story",
            "blocks",
            "start_at_step",
            "end_at_step",
            "dropout",
            "protect_identity",
            "strength",
            "dropout_seed",
        ],
        ["model"],
    ),
    "StoryBatch": (
        [
            "story",
            "frames",
            "width",
            "height",
            "noise",
            "select",
            "frames_per_batch",
            "part_index",
            "parts",
            "latent",
            "negative",
            "retake",
            "model",
            "seeds",
        ],
        ["positive", "latent", "captions", "negative", "share", "file_names", "seed"],
    ),
    "StorySheet": (
        [
            "images",
            "title",
            "style",
            "columns",
            "panel_width",
            "margin",
            "font_size",
            "numbers",
            "first_number",
            "paper",
            "captions",
            "frame_numbers",
            "again",
            "again_numbers",
        ],
        ["sheet"],
    ),
    "StorySlate": (["images", "share", "master", "earlier_frames", "earlier"], ["images"]),
    "StoryGather": (["images"], ["images", "captions", "numbers", "missing"]),
    "StoryDemoModel": ([], ["model", "clip", "vae", "clip_vision"]),
    "StoryReference": (["story", "image", "vae", "character", "megapixels"], ["story"]),
    "StoryScore": (
        [
            "images",
            "clip_vision",
            "mask",
            "clip",
            "captions",
            "reference",
            "baseline",
            "baseline_mask",
        ],
        ["likeness", "fit", "odd_frame", "report", "chart", "gain", "colours"],
    ),
}

ADVANCED = {
    "SVRReweight": ["enhance_alpha", "weaken_alpha", "pooled"],
    "IPCAPatch": ["end_at_step", "protect_identity", "dropout_seed"],
    "StoryBatch": ["part_index", "parts", "retake"],
    "StorySheet": ["margin", "font_size", "numbers", "first_number"],
}


def test_the_pack_gives_these_nodes(pack):
    assert sorted(pack.NODE_CLASS_MAPPINGS) == IDS
    assert set(pack.NODE_DISPLAY_NAME_MAPPINGS.values()) == {
        "Story Prompt",
        "SVR Reweight",
        "IPCA Patch",
        "Story Batch",
        "Story Demo Model",
        "Story Sheet",
        "Story Slate",
        "Story Gather",
        "Story Score",
        "Story Reference",
    }


@pytest.mark.parametrize("node_id", IDS)
def test_names_are_the_public_contract(nodes, node_id):
    info = nodes[node_id].GET_NODE_INFO_V1()
    inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    assert (list(inputs), info["output_name"]) == CONTRACT[node_id]
    assert info["category"] == "story" and info["description"]
    for name, (_, options) in inputs.items():
        assert len(options["tooltip"]) > 15, name
    assert all(info["output_tooltips"])


@pytest.mark.parametrize("node_id", IDS)
def test_what_most_people_never_touch_is_folded_away(nodes, node_id):
    """In what the server sends, whether this ComfyUI's schema knows the flag or not; nothing that
    has no default is folded.
    """
    info = nodes[node_id].GET_NODE_INFO_V1()["input"]
    inputs = {**info.get("required", {}), **info.get("optional", {})}
    assert [
        name for name, (_, options) in inputs.items() if options.get("advanced")
    ] == ADVANCED.get(node_id, [])
    assert all("default" in inputs[name][1] for name in ADVANCED.get(node_id, []))


@pytest.mark.parametrize("node_id", IDS)
def test_every_node_is_found_by_what_people_look_for(nodes, node_id):
    from comfy_api.latest import io

    info, aliases = nodes[node_id].GET_NODE_INFO_V1(), nodes[node_id].GET_SCHEMA().search_aliases
    assert aliases and all(isinstance(alias, str) and alias for alias in aliases)
    if "search_aliases" in {field.name for field in dataclasses.fields(io.Schema)}:
        assert info["search_aliases"] == aliases
    else:
        assert "search_aliases" not in info


@pytest.mark.parametrize("node_id", IDS)
def test_every_node_has_a_help_page_with_its_inputs(nodes, node_id):
    page = (ROOT / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {nodes[node_id].GET_SCHEMA().display_name}\n")
    for name in CONTRACT[node_id][0] + CONTRACT[node_id][1]:
        assert f"`{name}`" in page, name


@pytest.mark.parametrize("language", ["en", "zh", "zh-TW", "ja", "ko", "fr", "es", "ru"])
def test_every_text_of_every_node_is_translated(nodes, language):
    raw = (ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8")
    texts = json.loads(raw, object_pairs_hook=as_the_page_shows)
    assert sorted(texts) == IDS
    for node_id, text in texts.items():
        schema = nodes[node_id].GET_SCHEMA()
        in_code = {
            "display_name": schema.display_name,
            "description": schema.description,
            "outputs": {
                str(index): {"name": output.display_name, "tooltip": output.tooltip}
                for index, output in enumerate(schema.outputs)
            },
        }
        if schema.inputs:
            in_code["inputs"] = {
                item.id: {"name": item.id, "tooltip": item.tooltip} for item in schema.inputs
            }
        if language == "en":
            assert text == in_code
        else:
            assert shape_of(text) == shape_of(in_code)
            assert text["description"] != in_code["description"]
    assert main_texts(language)["nodeCategories"]["story"].strip()


def main_texts(language: str) -> dict:
    return json.loads((ROOT / "locales" / language / "main.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", ["en", "zh", "zh-TW", "ja", "ko", "fr", "es", "ru"])
def test_every_text_of_the_page_is_translated(language):
    """With the same {places}; `say` of web/words.js asks for no text that is missing."""
    english, texts = (main_texts(each)["onePromptOneStory"] for each in ("en", language))
    assert list(texts) == list(english) and all(texts.values())
    for key, text in texts.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "web").glob("*.js"))
    assert set(re.findall(r'\bsay\(\s*"(\w+)"', code)) <= set(english)
    assert all(f'"{key}"' in code for key in english)


def as_the_page_shows(pairs: list) -> dict:
    """The page reads its texts by vue-i18n, to which @ { } | mean something: a plain @ is {'@'}, or
    the node is not drawn at all.
    """
    for _, text in pairs:
        assert not isinstance(text, str) or not set("@{}|") & set(text.replace("{'@'}", "")), text
    return {
        key: text.replace("{'@'}", "@") if isinstance(text, str) else text for key, text in pairs
    }


def shape_of(text):
    """The keys of a nested dict of texts, none of which may be empty."""
    if isinstance(text, dict):
        return {key: shape_of(value) for key, value in text.items()}
    assert text.strip()
    return "text"


@pytest.mark.parametrize("node_id", IDS)
def test_the_chinese_help_page_has_the_same_parameters(node_id):
    page = (ROOT / "web" / "docs" / node_id / "zh.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    for name in CONTRACT[node_id][0] + CONTRACT[node_id][1]:
        assert f"`{name}`" in page, name


def test_importing_the_pack_imports_no_training(pack):
    assert f"{pack.__name__}.demo.model" in sys.modules
    parts = {name for name in sys.modules if name.startswith(f"{pack.__name__}.demo.")}
    assert parts == {f"{pack.__name__}.demo.model", f"{pack.__name__}.demo.vision"}


@pytest.mark.parametrize(
    "shape, expected",
    [
        (
            "sdxl",
            {
                "down1": [("input", 4), ("input", 5)],
                "down2": [("input", 7), ("input", 8)],
                "mid": [("middle", 0)],
                "up0": [("output", 0), ("output", 1), ("output", 2)],
                "up1": [("output", 3), ("output", 4), ("output", 5)],
            },
        ),
        (
            "sd15",
            {
                "down0": [("input", 1), ("input", 2)],
                "down1": [("input", 4), ("input", 5)],
                "down2": [("input", 7), ("input", 8)],
                "mid": [("middle", 0)],
                "up1": [("output", 3), ("output", 4), ("output", 5)],
                "up2": [("output", 6), ("output", 7), ("output", 8)],
                "up3": [("output", 9), ("output", 10), ("output", 11)],
            },
        ),
    ],
)
def test_block_names_are_diffusers(pack, models, shape, expected):
    import importlib

    blocks = importlib.import_module(f"{pack.__name__}.ipca.unet.blocks")
    unet = models(shape)[0].model.diffusion_model
    named = {
        name: sorted({site[:2] for site in sites})
        for name, sites in blocks.attention_sites(unet).items()
    }
    assert named == expected
    sites = [module for found in blocks.attention_sites(unet).values() for module in found.values()]
    assert sites == [module for name, module in unet.named_modules() if name.endswith(".attn2")]


@pytest.mark.parametrize(
    "shape, coarse, fine",
    [
        ("sdxl", ["down2", "mid", "up0"], ["down1", "up1"]),
        ("sd15", ["down2", "mid", "up1"], ["down0", "down1", "up2", "up3"]),
    ],
)
def test_presets_are_read_off_the_model(pack, models, shape, coarse, fine):
    import importlib

    blocks = importlib.import_module(f"{pack.__name__}.ipca.unet.blocks")
    unet = models(shape)[0].model.diffusion_model
    available = blocks.attention_sites(unet)
    for text, expected in [
        ("coarse", coarse),
        ("fine", fine),
        ("fine, coarse", list(available)),
        ("all", list(available)),
        (f"fine {coarse[0]}", fine + coarse[:1]),
    ]:
        assert set(blocks.chosen_sites(unet, text)) == {
            site for name in expected for site in available[name]
        }, text
