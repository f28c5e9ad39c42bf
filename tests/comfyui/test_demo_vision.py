"""The demo model's vision: ComfyUI's own class, fitting its text encoder, trained in pieces as in
one go.
"""

import json
import math

import comfy.clip_model
import comfy.clip_vision
import numpy as np
import pytest
import torch

from bench.inprocess import ROOT
from lab.world.captions import draw_story
from lab.world.render import NAMES, Attributes, Renderer


@pytest.fixture(scope="module")
def demo(nodes):
    return nodes["StoryDemoModel"].execute().args


def shown(pictures) -> torch.Tensor:
    """Drawn pictures [n, 32, 32, 3] as the demo model's VAE shows them: [n, 256, 256, 3] in
    0..1.
    """
    return (
        torch.from_numpy(pictures).float().div(255).repeat_interleave(8, 1).repeat_interleave(8, 2)
    )


def score(nodes, images, demo, **inputs):
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return nodes["StoryScore"].execute(images=[images], clip_vision=[demo[3]], **lists).args


def test_it_is_comfyuis_own_class_with_all_of_its_weights(demo):
    from safetensors import safe_open

    vision = demo[3]
    assert (
        type(vision) is comfy.clip_vision.ClipVisionModel
        and type(vision.model) is comfy.clip_model.CLIPVisionModelProjection
    )
    with safe_open(ROOT / "demo/story-vision.safetensors", "pt") as weights:
        stored = {name: weights.get_tensor(name) for name in weights.keys()}
        record = {name: json.loads(value) for name, value in weights.metadata().items()}
    assert stored.keys() == vision.model.state_dict().keys()
    assert all(
        torch.equal(value.float().cpu(), stored[name].float())
        for name, value in vision.model.state_dict().items()
    )
    assert {"step", "steps", "batch", "seed", "captions", "text"} <= record.keys() and record[
        "step"
    ] == record["steps"]


def test_held_out_pictures_and_captions_find_each_other(demo):
    """Among 40 captions that nobody trained on, of different scenes and kinds: far above chance,
    which is 1 in 40.
    """
    rng = np.random.default_rng(4711)
    stories = {}
    while len(stories) < 40:
        story = draw_story(rng, 1)
        stories.setdefault((story["picture"]["kind"], story["picture"]["scene"]), story)
    stories = list(stories.values())
    pictures, _ = Renderer()(Attributes.stack([story["picture"] for story in stories]))
    clip, vision = demo[1], demo[3]
    images = torch.nn.functional.normalize(
        vision.encode_image(shown(pictures))["image_embeds"].float(), dim=-1
    )
    texts = []
    for story in stories:
        _, pooled = clip.encode_from_tokens(
            clip.tokenize(" ".join(filter(None, story["phrases"]))), return_pooled="unprojected"
        )
        texts.append(clip.cond_stage_model.clip_l.transformer.text_projection(pooled)[0])
    cosines = images @ torch.nn.functional.normalize(torch.stack(texts).float(), dim=-1).T
    own = torch.arange(40)
    for way in (cosines, cosines.T):
        assert (way.argmax(1) == own).float().mean() > 0.5


def test_likeness_tells_the_same_character_from_others(nodes, demo):
    """Five frames in five scenes: one character, then with another coat in one frame, then five
    characters. Masks leave the scene out.
    """
    scenes = np.arange(5)

    def drawn(**changes):
        plain = {"kind": 0, "body": 0, "coat": 2, "pattern": 0, "prop": 0, "flip": 0}
        columns = {name: np.full(5, value) for name, value in plain.items()} | {"scene": scenes}
        pictures, figure = Renderer()(
            Attributes(**(columns | {name: np.array(value) for name, value in changes.items()}))
        )
        mask = torch.from_numpy(figure).float().repeat_interleave(8, 1).repeat_interleave(8, 2)
        return score(nodes, shown(pictures), demo, mask=mask)

    same, one_other = drawn(), drawn(kind=[0, 0, 0, 3, 0])
    different = drawn(kind=[0, 1, 2, 3, 4], body=[0, 1, 2, 3, 4], coat=[2, 3, 4, 5, 6])
    assert same[0] > one_other[0] > different[0]
    assert one_other[2] == 4 and same[2] == 0


def test_the_fit_falls_where_captions_are_swapped(nodes, demo):
    columns = {name: np.zeros(4, dtype=int) for name in (*NAMES, "flip")} | {
        "scene": np.array([0, 1, 4, 9])
    }
    pictures, _ = Renderer()(Attributes(**columns))
    captions = [
        "a red fox in a meadow",
        "a red fox in the snow",
        "a red fox at the beach",
        "a red fox on the moon",
    ]
    _, fit, _, report, *_ = score(nodes, shown(pictures), demo, clip=demo[1], captions=captions)
    _, swapped, _, told, *_ = score(
        nodes, shown(pictures), demo, clip=demo[1], captions=captions[::-1]
    )
    assert fit > swapped and "fits it better" not in report and told.count("fits it better") == 4


def test_the_loss_is_the_symmetric_cross_entropy(pack):
    from lab.training.vision import contrastive_loss

    rows, scale = torch.eye(5), torch.tensor(math.log(3.0))
    right = -math.log(math.exp(3) / (math.exp(3) + 4))
    assert float(contrastive_loss(rows, rows, scale)) == pytest.approx(right, abs=1e-5)
    assert float(contrastive_loss(rows, rows.roll(1, 0), scale)) == pytest.approx(
        right + 3, abs=1e-5
    )
    many = torch.cat(
        [rows[:1]] * 5
    )  # one caption for all: the picture cannot tell which, the caption can
    expected = (math.log(5) + math.log(math.exp(3) + 4) - 3 / 5) / 2
    assert float(contrastive_loss(rows, many, scale)) == pytest.approx(expected, abs=1e-5)


def test_training_in_pieces_ends_as_in_one_go(pack, tmp_path, monkeypatch):
    from lab.training import loop, vision

    monkeypatch.setattr(vision, "CAPTIONS", 32)

    def weights(name, *pieces):
        monkeypatch.setattr(loop, "CHECKPOINTS", tmp_path / name)
        for stop_after in pieces:
            vision.train(vision.Options(steps=4, batch=8, rate=1e-3, stop_after=stop_after))
        saved = torch.load(loop.checkpoint(vision.NAME), weights_only=True)
        assert saved["state"]["step"] == 4
        return saved["model"]

    whole, pieces = weights("whole", math.inf), weights("pieces", 1, math.inf)
    assert whole.keys() == pieces.keys()
    for name, value in whole.items():
        torch.testing.assert_close(value, pieces[name], atol=1e-6, rtol=1e-5)
