"""One grammar, two languages: the shared vectors, read by Python here and by the page's JavaScript
through Node.
"""

import json
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest
from story_pack.errors import InputError
from story_pack.families import FAMILIES
from story_pack.ipca.transformer.blocks import blocks_of, chosen_blocks
from story_pack.ipca.unet.blocks import chosen_sites
from story_pack.story import headings
from story_pack.story.cast import read_identity
from story_pack.story.lists import read_frames
from story_pack.story.selection import parse_selection
from story_pack.story.story import parse_story
from story_pack.story.takes import parse_retake
from torch import nn

from bench.node import run_node_tests

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def vectors(name: str) -> list:
    found = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector.get("name", vector.get("text"))) for vector in found]


def text_in(vector: dict) -> str:
    return (
        vector["text"]
        if "text" in vector
        else (VECTORS / "tables" / vector["file"]).read_bytes().decode()
    )


def written(frame) -> str:
    return frame.text if frame.on else f"# {frame.text}".rstrip()


@pytest.mark.parametrize("vector", vectors("lists"))
def test_a_text_is_read_as_its_frames(vector):
    names = tuple(vector.get("names", ()))
    found = read_frames(text_in(vector), names)
    assert found.kind == vector["kind"]
    assert [written(frame) for frame in found.frames] == vector["frames"]
    assert [frame.number for frame in found.frames] == vector["lines"]
    assert list(found.left_out) == vector.get("left_out", [])
    again = read_frames("\n".join(map(written, found.frames)), names)
    assert [(frame.text, frame.on) for frame in again.frames] == [
        (frame.text, frame.on) for frame in found.frames
    ]


def test_the_vectors_have_every_word_that_a_heading_may_have():
    texts = "\n".join(
        vector.get("text", "") for (vector,) in (param.values for param in vectors("lists"))
    )
    assert all(f"{word} 1" in texts for word in headings.WORDS_BEFORE) and all(
        f"第1{word}" in texts for word in headings.COUNTERS
    )


@pytest.mark.parametrize("vector", vectors("cast"))
def test_an_identity_is_read_as_its_cast(vector):
    if "error" in vector:
        with pytest.raises(InputError) as error:
            read_identity(vector["identity"])
        assert str(error.value) == vector["error"]
        return
    _, cast = read_identity(vector["identity"])
    assert [character.name for character in cast] == vector["cast"]
    for text, present in vector["frames"]:
        story = parse_story(vector["identity"], text, 10)
        first = len(story.identity_phrases) - len(cast)
        assert [cast[place - first].name for place in story.present[0] if place >= first] == present


@pytest.mark.parametrize("vector", vectors("select"))
def test_a_selection_is_read(vector):
    if "error" in vector:
        with pytest.raises(InputError, match="^select: "):
            parse_selection(vector["text"], vector["count"])
    else:
        assert [frame + 1 for frame in parse_selection(vector["text"], vector["count"])] == vector[
            "frames"
        ]


@pytest.mark.parametrize("vector", vectors("retake"))
def test_takes_are_read(vector):
    if "error" in vector:
        with pytest.raises(InputError, match="^retake: "):
            parse_retake(vector["text"], vector["count"])
    else:
        takes = parse_retake(vector["text"], vector["count"])
        assert {str(frame + 1): take for frame, take in takes.items()} == vector["takes"]


@pytest.mark.parametrize("vector", vectors("blocks"))
def test_blocks_are_read(vector):
    read = transformer_blocks if vector["family"] in TRANSFORMERS else unet_blocks
    if "error" in vector:
        with pytest.raises(InputError, match="^blocks: "):
            read(vector["family"], vector["text"])
    else:
        assert read(vector["family"], vector["text"]) == vector["blocks"]


class Attention(nn.Module):
    def __init__(self, has_attention: bool):
        super().__init__()
        if has_attention:
            block = nn.Module()
            block.attn2 = nn.Identity()
            self.transformer_blocks = nn.ModuleList([block])


class Downsample(nn.Identity):
    pass


class Upsample(nn.Identity):
    pass


UNETS = {
    "SDXL": (3, {1, 2}),
    "SD1.x, SD2.x": (4, {0, 1, 2}),
    "Story Demo Model": (2, {1}),
}  # levels, and which have attention
TRANSFORMERS = {"Qwen-Image": (60,), "Flux": (19, 38), "HiDream-I1": (16, 32)}


def unet_blocks(family: str, text: str) -> list[str]:
    """A UNet of this family's shape, a block a level each way, and what `text` chooses of it by
    name.
    """
    levels, attended = UNETS[family]
    down, up = [], []
    for level in range(levels):
        down.append(
            nn.Sequential(
                Attention(level in attended), *([Downsample()] if level < levels - 1 else [])
            )
        )
        up.append(
            nn.Sequential(
                Attention(levels - 1 - level in attended),
                *([Upsample()] if level < levels - 1 else []),
            )
        )
    unet = SimpleNamespace(
        input_blocks=down, middle_block=nn.Sequential(Attention(True)), output_blocks=up
    )
    chosen = chosen_sites(unet, text)
    where = {("input", level): f"down{level}" for level in range(levels)} | {("middle", 0): "mid"}
    where |= {("output", level): f"up{level}" for level in range(levels)}
    return [where[place, number] for place, number, _ in chosen]


def transformer_blocks(family: str, text: str) -> list[str]:
    (known,) = (each for each in FAMILIES if each.name == family)
    lists = {
        attribute: [None] * count
        for (_, attribute), count in zip(known.stages, TRANSFORMERS[family])
    }
    transformer = SimpleNamespace(**lists)
    names = [f"{stage}{number}" for stage, number in blocks_of(transformer, known)]
    return [names[place] for place in sorted(chosen_blocks(transformer, known, text))]


def test_without_node_the_pages_readers_are_skipped_but_never_in_ci(monkeypatch):
    monkeypatch.setattr("bench.node.shutil.which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Node"):
        run_node_tests()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must run"):
        run_node_tests()


def test_the_pages_readers_read_the_same(tmp_path):
    """And names are the same to both over every letter, mark and digit of Unicode."""
    chars = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    folds = {char: char.casefold() for char in chars if unicodedata.category(char)[0] in "LMN"}
    (tmp_path / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    run_node_tests(FOLDS=str(tmp_path / "folds.json"))
