"""`make evidence CHECKPOINT=..`: the whole command on a file of random weights and on the demo
model, a few steps each.
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch

from bench.toy_models import write_toy_checkpoint


@pytest.fixture
def evidence(pack, tmp_path):
    """evidence(**environment) runs the command in an empty folder and gives its page, its numbers
    by row and its folder.
    """
    from lab.evidence import own_checkpoint
    from lab.evidence.loop import go
    from lab.evidence.options import options

    def run(**environment):
        chosen = options([], {name: str(value) for name, value in environment.items()})
        study = own_checkpoint.study(chosen)
        go(study, tmp_path)
        folder = tmp_path / study.folder
        told = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))["rows"]
        # row-<name>.png
        numbers = {file[4:-4]: told[row] for file, [row] in study.strips.items()}
        return (folder / "evidence.md").read_text(encoding="utf-8"), numbers, folder

    run.module = own_checkpoint
    run.options = options
    return run


PROMPTS = """
animals:
  - subject: a red fox with a green coat
    style: A photo of
    settings: [in a meadow, in the snow]
  - subject: a cat
    concept_token: [cat]
    settings:
      - in the forest
      - at the beach
      - on the moon
"""


def test_random_weights_in_the_shape_of_sdxl(evidence, tmp_path):
    checkpoint, prompts = tmp_path / "toy.safetensors", tmp_path / "prompts.yaml"
    write_toy_checkpoint(checkpoint, "sdxl")
    prompts.write_text(PROMPTS, encoding="utf-8")
    page, numbers, folder = evidence(
        CHECKPOINT=checkpoint, PROMPTS=prompts, SIZE=64, STEPS=1, BATCH=2
    )
    assert "random weights" in page and "numbers mean nothing" in page and "No fit: " in page
    assert list(numbers) == list("abcdefg") and all(
        len(stories) == 2 for stories in numbers.values()
    )
    likeness = [story["likeness"] for story in numbers["e"]]
    mean, error = sum(likeness) / 2, abs(likeness[0] - likeness[1]) / 2  # of two values
    line, quoted = (line for line in page.splitlines() if line.startswith("| (e)"))
    assert f"{mean:.3f} ± {error:.3f}" in line
    assert quoted.startswith(f"| (e) SVR + IPCA | {mean:.3f} ± {error:.3f} | - | - | ")
    assert "| *the paper: One-Prompt-One-Story* |" in page
    assert (folder / "row-a.png").exists() and (folder / "row-g.png").exists()


def in_parts(folder, **vae_options):
    """The options of one story on a diffusion model and a VAE of the real format, as small as
    Qwen-Image's can be; its text encoder has no file and is made.
    """
    from bench.toy_parts import write_toy_transformer, write_toy_vae

    unet, vae = folder / "qwen.safetensors", folder / "vae.safetensors"
    write_toy_transformer(unet, "qwen-image")
    write_toy_vae(vae, "qwen-image", **vae_options)
    prompts = folder / "prompts.yaml"
    prompts.write_text(PROMPTS, encoding="utf-8")
    return {"UNET": unet, "CLIP": vae, "VAE": vae, "PROMPTS": prompts, "STORIES": 1, "SIZE": 64}


def test_a_model_in_parts(evidence, tmp_path):
    page, numbers, folder = evidence(**in_parts(tmp_path), STEPS=2, WINDOW=2)
    assert "numbers mean nothing" in page and "window_length 2" in page and "No fit: " in page
    assert list(numbers) == list("abcdefg") and all(
        len(stories) == 1 and stories[0]["likeness"] for stories in numbers.values()
    )
    strips = {row: (folder / f"row-{row}.png").read_bytes() for row in numbers}
    assert len(set(strips.values())) == len(strips), "every row is another way of telling"


def test_a_sweep_over_the_steps(evidence, tmp_path):
    """On a transformer: IPCA from a step on, and before it. Both are told apart from each other and
    from all steps by their pictures, and before step 4 of 4 nothing would be cut off.
    """
    wanted = {**in_parts(tmp_path), "STEPS": 4}
    page, numbers, folder = evidence(**wanted, SWEEP="steps")
    quarters = [f"{part}-{step}" for part in ("from", "to") for step in (1, 2, 3)]
    assert list(numbers) == ["a", "d", "e", *quarters]
    assert "| (from-2) SVR + IPCA from step 2 on | 1 |" in page
    assert "| (to-3) SVR + IPCA before step 3 | 1 |" in page
    strips = {row: (folder / f"row-{row}.png").read_bytes() for row in numbers}
    assert len(set(strips.values())) == len(strips), "every part of the run is another picture"
    with pytest.raises(SystemExit, match="--sweep: there is no colours, only steps"):
        evidence(**wanted, SWEEP="colours")


def test_steps_that_are_too_few_to_quarter(pack):
    from lab.evidence.rows import by_steps

    assert list(by_steps(1)) == ["a", "d", "e"]
    assert list(by_steps(2)) == ["a", "d", "e", "from-1", "to-1"]
    assert [row.ipca for name, row in by_steps(20).items() if name.startswith("to")] == [
        {"end_at_step": step} for step in (5, 10, 15)
    ]


def test_a_row_with_a_reference(evidence, tmp_path):
    """By a picture that every frame sees, then by frame 1, whose own picture is row (e)'s."""
    from PIL import Image

    picture = tmp_path / "fox.png"
    Image.new("RGB", (96, 64), "red").save(picture)
    wanted = {**in_parts(tmp_path, encodes=True), "STEPS": 1}
    page, numbers, folder = evidence(**wanted, REFERENCE=picture)
    assert (
        list(numbers) == list("abcdefgh")
        and "| (h) SVR + IPCA, reference fox.png | 1 |" in page
        and "tell of who is on it" in page
    )
    by_picture = Image.open(folder / "row-h.png").copy()
    page, _, _ = evidence(**wanted, REFERENCE="first")
    assert "| (h) SVR + IPCA, frame 1 as the reference of the others | 1 |" in page
    by_first, without = (np.asarray(Image.open(folder / f"row-{row}.png")) for row in "he")
    middle = by_first.shape[1] // 2
    assert np.array_equal(by_first[:, : middle - 2], without[:, : middle - 2]), (
        "frame 1 sees nobody"
    )
    assert not np.array_equal(by_first[:, middle + 2 :], without[:, middle + 2 :])
    assert not np.array_equal(np.asarray(by_picture), by_first)


def test_what_parts_lack_is_said_in_one_line(evidence, tmp_path):
    (tmp_path / "no-model.safetensors").write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    nothing = tmp_path / "no-model.safetensors"
    for environment, words in (
        ({"UNET": nothing}, "UNET needs CLIP and VAE beside it"),
        (
            {"UNET": nothing, "CLIP": nothing, "VAE": "absent.safetensors"},
            "there is no VAE absent.safetensors",
        ),
        (
            {"UNET": nothing, "CLIP": "absent.safetensors", "VAE": nothing},
            "there is no CLIP absent.safetensors",
        ),
        (
            {"UNET": nothing, "CLIP": nothing, "VAE": nothing},
            "ComfyUI cannot load UNET no-model.safetensors",
        ),
        ({"UNET": nothing, "CHECKPOINT": "demo"}, "set one of them"),
    ):
        with pytest.raises(SystemExit, match=words):
            given = {name: str(value) for name, value in environment.items()}
            evidence.module.load_models(evidence.options([], given))


def test_clip_type_follows_the_diffusion_model(pack):
    """Load CLIP's own choices; a name that it does not have is refused with those that it has."""
    import comfy.supported_models as models
    from comfy.sd import CLIPType

    from lab.evidence.own_models import clip_type

    def model_of(family):
        return SimpleNamespace(
            model=SimpleNamespace(model_config=getattr(models, family)({"hidden_size": 6144}))
        )

    assert [
        clip_type(None, model_of(family))
        for family in ("QwenImage", "Flux", "FluxSchnell", "Chroma", "SD3")
    ] == [CLIPType.QWEN_IMAGE, CLIPType.FLUX, CLIPType.FLUX, CLIPType.CHROMA, CLIPType.SD3]
    if hasattr(models, "ZImage"):  # older cores have none
        assert clip_type(None, model_of("ZImage")) is CLIPType.STABLE_DIFFUSION
    assert clip_type("hidream", model_of("Flux")) is CLIPType.HIDREAM
    if hasattr(models, "Flux2"):
        assert clip_type("flux2", model_of("Flux2")) is clip_type(None, model_of("Flux2")), (
            "a type of Load CLIP, on older cores without a name"
        )
    if hasattr(CLIPType, "MAGE"):
        assert (
            clip_type(None, model_of("MageFlow")) is CLIPType.MAGE
            and clip_type(None, model_of("Krea2")) is CLIPType.KREA2
        )
    with pytest.raises(
        SystemExit, match="CLIP_TYPE qwen is none of stable_diffusion, .*qwen_image"
    ):
        clip_type("qwen", model_of("QwenImage"))


def test_it_goes_on_where_it_was_stopped(evidence, monkeypatch, tmp_path):
    tell, told = evidence.module.tell, []

    def spy(equipment, job):
        if len(told) == spy.stop_at:
            raise KeyboardInterrupt
        told.append((job.seed, job.row.label))
        return tell(equipment, job)

    monkeypatch.setattr(evidence.module, "tell", spy)
    (tmp_path / "prompts.yaml").write_text(PROMPTS, encoding="utf-8")
    wanted = {"CHECKPOINT": "demo", "PROMPTS": tmp_path / "prompts.yaml", "SIZE": 128, "STEPS": 1}
    spy.stop_at = 9
    page, numbers, _ = evidence(**wanted)
    told_first = list(told)
    assert len(told) == 9 and [story is None for story in numbers["c"]] == [False, True]
    assert f"| (c) one prompt, no SVR | 1 | {numbers['c'][0]['likeness']:.3f} |" in page, (
        "of one story the mean, without an error"
    )
    spy.stop_at = None
    told.clear()
    page, numbers, _ = evidence(**wanted)
    assert told == [(1, row.label) for row in list(evidence.module.ROWS.values())[2:]]
    assert all(None not in stories for stories in numbers.values())
    assert all(
        0 < story["fit"] < 1 and story["likeness"] < 1.001
        for stories in numbers.values()
        for story in stories
    )
    told.clear()
    evidence(**wanted)
    assert not told
    spy.stop_at = 3
    evidence(**wanted, CFG=2)
    assert told == told_first[:3], "another setting is another result"


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"CHECKPOINT": "absent.safetensors"}, "there is no CHECKPOINT absent.safetensors"),
        (
            {"CHECKPOINT": "demo", "CLIP_VISION": "absent.safetensors"},
            "there is no CLIP_VISION absent",
        ),
        ({"CHECKPOINT": "demo", "SIZE": "big"}, "--size: big is no number"),
        ({"CHECKPOINT": "demo", "REFERENCE": "absent.png"}, "--reference: absent.png is no file"),
        (
            {"CHECKPOINT": "demo", "REFERENCE": "first"},
            "demo reads no reference pictures: leave REFERENCE out",
        ),
        ({"CHECKPOINT": "demo", "SIZE": "100"}, "--size: 100 is not a multiple of 8"),
        ({"CHECKPOINT": "demo", "MASK": "scissors"}, "--mask: there is no scissors, only rembg"),
        ({"CHECKPOINT": "demo", "PROMPTS": "absent.yaml"}, "PROMPTS absent.yaml cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(evidence, environment, words):
    with pytest.raises(SystemExit, match=words):
        evidence(**environment)


class StandIn:
    """In place of the package rembg: the bright pixels are the character."""

    @staticmethod
    def new_session(model):
        return f"session of {model}"

    @staticmethod
    def remove(picture, session, only_mask):
        assert session == "session of u2net" and only_mask
        return picture.convert("L").point(lambda value: 255 * (value > 200))


@pytest.mark.parametrize("installed", [True, False])
def test_the_table_says_what_is_compared(evidence, monkeypatch, tmp_path, installed):
    """The characters where the package is there, which gives another likeness, else whole pictures;
    a picture in which the package finds nobody is counted.
    """
    monkeypatch.setitem(sys.modules, "rembg", StandIn if installed else None)
    (tmp_path / "prompts.yaml").write_text(PROMPTS, encoding="utf-8")
    wanted = {"CHECKPOINT": "demo", "PROMPTS": tmp_path / "prompts.yaml", "STORIES": 1, "STEPS": 2}
    page, plain, _ = evidence(**wanted)
    assert "| likeness (CLIP-I), whole pictures |" in page
    page, numbers, _ = evidence(**wanted, MASK="rembg")
    likeness = [numbers[row][0]["likeness"] for row in numbers]
    if installed:
        assert "| likeness (CLIP-I), the characters, masked by rembg |" in page
        assert all(a != b[0]["likeness"] for a, b in zip(likeness, plain.values()))
    else:
        assert "| likeness (CLIP-I), whole pictures |" in page
        assert "MASK=rembg was set, and the package rembg is not installed" in page
        assert all(a == b[0]["likeness"] for a, b in zip(likeness, plain.values()))


def test_masks_are_the_packages_and_empty_ones_are_counted(evidence, monkeypatch):
    from lab.evidence.masks import masks_by

    monkeypatch.setitem(sys.modules, "rembg", StandIn)
    masks = masks_by("rembg")
    pictures = torch.zeros(2, 8, 12, 3)
    pictures[0, 2:5, 3:9] = 1.0
    found = masks(pictures)
    expected = torch.zeros(2, 8, 12)
    expected[0, 2:5, 3:9] = 1.0
    assert torch.equal(found, expected)
    given = {}

    def execute(**inputs):
        given.update(inputs)
        return SimpleNamespace(args=(0.5, 0.25, 1, "report", None, 0.1, 0.75))

    studio = SimpleNamespace(nodes={"StoryScore": SimpleNamespace(execute=execute)}, clip=None)
    equipment = evidence.module.Equipment(studio, None, masks)
    columns = evidence.module.score(equipment, [pictures], ["a", "b"])
    assert columns == {"likeness": 0.5, "fit": 0.25, "colours": 0.75, "not masked": 1}
    assert torch.equal(given["mask"][0], expected[0]) and (given["mask"][1] == 1).all()


def test_prompts_of_another_form_are_refused(pack, tmp_path):
    from lab.evidence import prompts

    path = tmp_path / "prompts.yaml"
    for text, words in (
        ("- a\n- b\n", "no groups"),
        ("animals:\n  - subject: a fox\n", "needs a subject"),
        ("a: [", "cannot be read"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit, match=words):
            prompts.read_stories(path)


CONSISTORY = """
animals:
- concept_token: otter
  settings:
  - floating on its back
  - asleep on a stone, in the rain
  style: ''
  subject: An otter
people:
- concept_token: glass blower
  settings: [at the furnace, on a ladder, in a boat, at a wedding, in the fog, by a lamp,
             under an arch]
  style: An ink drawing of
  subject: A glass blower's apprentice, in a grey smock
"""


def test_consistory_plus_is_read(pack, tmp_path):
    """A file of its form: styles may be empty, subjects hold commas, and groups follow each
    other.
    """
    from lab.evidence import prompts

    (tmp_path / "consistory+.yaml").write_text(CONSISTORY, encoding="utf-8")
    first, second = prompts.read_stories(tmp_path / "consistory+.yaml")
    assert first == {
        "identity": "An otter",
        "frames": ["floating on its back", "asleep on a stone, in the rain"],
    }
    assert (
        second["identity"] == "An ink drawing of A glass blower's apprentice, in a grey smock"
        and len(second["frames"]) == 7
    )


def shot(shown, setting, *who, **more):
    both = {
        "Static Shot Description": shown,
        "Setting Description": setting,
        "Shot Perspective Design": "Wide shot",
        "Plot Correspondence": "Nobody knows why.",
    }
    fields = {name: {"en": text, "ch": "..."} for name, text in (both | more).items()}
    return {"index": 1, **fields, "Characters Appearing": {"en": list(who), "ch": []}}


def vistory(*shots, **characters):
    described = {
        name: {"name_en": name, "prompt_en": text, "prompt_ch": "...", "tag": "realistic_human"}
        for name, text in characters.items()
    }
    return json.dumps(
        {"Story_type": {"en": "Fables", "ch": "..."}, "Characters": described, "Shots": list(shots)}
    )


def test_vistorybench_is_read(nodes, tmp_path):
    """By the pack's own Story Prompt: each frame has the cast of its shot, and a prompt of only its
    words.
    """
    from lab.evidence import prompts

    told = vistory(
        shot("Ida pours tea for Old Tom.", "A harbour inn.", "Old Tom", "Ida"),
        shot("An empty\n street (wet)", "Night", "Someone else"),
        shot("A man mends a net", "The pier @ noon", "Old Tom"),
        **{"Ida": "a girl with a red cap", "Old Tom": "a man with one boot"},
    )
    for folder, text in (("2", told), ("10", told.replace("Ida", "Eve"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "story.json").write_text(text, encoding="utf-8")
    first, second = prompts.read_stories(tmp_path)
    assert [first] == prompts.read_stories(tmp_path / "2/story.json") and "Eve" in second[
        "identity"
    ]
    assert first["captions"][0] == "Ida pours tea for Old Tom, A harbour inn, Wide shot"
    inputs = {
        "identity": [first["identity"]],
        "frames": ["\n".join(first["frames"])],
        "window_length": [10],
    }
    story = nodes["StoryPrompt"].execute(**inputs).args[0][0]
    assert story.identity_phrases == ("a girl with a red cap", "a man with one boot")
    assert story.present == ((0, 1), (), (1,))
    assert (
        story.frames[0] == first["captions"][0]
        and story.frames[1] == r"An empty street \(wet\), Night, Wide shot"
    )
    assert story.frames[2] == "Old Tom A man mends a net, The pier @ noon, Wide shot"


def test_stories_of_vistorybench_that_cannot_be_told_are_named(pack, tmp_path):
    from lab.evidence import prompts

    good = shot("A", "B")
    for text, words in (
        (json.dumps([1]), "needs Characters"),
        (vistory(good, Ida="a girl"), "needs at least two shots"),
        (vistory(good, good, Ida=""), "has no prompt_en for Ida"),
        (
            vistory(good, shot("", "B"), Ida="a girl"),
            "has no Static Shot Description in English in shot 2",
        ),
        ("{", "cannot be read"),
    ):
        (tmp_path / "story.json").write_text(text, encoding="utf-8")
        with pytest.raises(
            SystemExit,
            match=f"PROMPTS .*story.json {words}" if words != "cannot be read" else words,
        ):
            prompts.read_stories(tmp_path / "story.json")
    with pytest.raises(SystemExit, match="has no .*/story.json"):
        prompts.read_stories(tmp_path)


def test_our_own_stories_are_twenty_with_different_subjects(pack):
    from lab.evidence import prompts

    stories = prompts.read_stories()
    assert len({story["identity"] for story in stories}) == len(stories) == 20
    assert all(4 <= len(set(story["frames"])) == len(story["frames"]) for story in stories)
