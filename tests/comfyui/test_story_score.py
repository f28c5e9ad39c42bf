"""Story Score as ComfyUI calls it, on ComfyUI's own vision classes: CLIP, SigLIP and DINOv2."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from bench.score_scene import embedding, refused, score
from bench.toy_models import toy_clip


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2"])
def test_likeness_is_the_mean_cosine_of_all_pairs_for_every_tower(nodes, vision, pictures, kind):
    # DINOv2 reads 518x518 pixels: few pictures, and of colours that differ.
    few = (
        torch.stack([pictures[0], 1 - pictures[0], pictures[1] * torch.tensor([1.0, 0.2, 0.1])])
        if kind == "dinov2"
        else pictures
    )
    rows = embedding(vision(kind), kind, few)
    cosines = rows @ rows.T
    count = len(few)
    expected = (cosines.sum() - count) / (count * (count - 1))
    likeness, fit, odd, report, chart, *_ = score(nodes, few, vision(kind))
    assert likeness == pytest.approx(float(expected), abs=2e-7) and expected < 1 - 1e-6
    assert odd == 1 + int(cosines.sum(1).argmin())
    assert math.isnan(fit) and "clip and captions not connected" in report
    assert (
        chart.ndim == 4
        and chart.shape[0] == 1
        and chart.dtype == torch.float32
        and 0 <= chart.min() < chart.max() <= 1
    )


def test_likeness_to_reference_pictures(nodes, vision, pictures):
    """By ComfyUI's own model a picture at a time: the mean over the reference pictures, which come
    in batches of any size.
    """
    reference = [1 - pictures[:1], pictures[1:3, :24]]
    rows = embedding(vision("clip"), "clip", pictures)
    theirs = torch.cat([embedding(vision("clip"), "clip", batch) for batch in reference])
    expected = (rows @ theirs.T).mean(1)
    plain, told = (
        score(nodes, pictures, vision("clip")),
        score(nodes, pictures, vision("clip"), reference=reference),
    )
    assert told[:3:2] == plain[:3:2] and "reference" not in plain[3]
    lines = [line for line in told[3].splitlines() if "reference" in line]
    assert (
        f"reference {expected.mean():.3f}: mean" in lines[0]
        and f"least like it: picture {int(expected.argmin()) + 1}, " in lines[0]
    )
    for index, line in enumerate(lines[1:]):
        assert f"reference {expected[index]:.3f}" in line
    with pytest.raises(ValueError, match="^Story Score - reference: it has no picture. Connect"):
        score(nodes, pictures, vision("clip"), reference=torch.zeros(0, 32, 32, 3))


def test_lists_batches_and_a_long_story_come_to_the_same(nodes, vision, pictures):
    whole = score(nodes, pictures, vision("clip"))
    pieces = score(nodes, [pictures[:2], pictures[2:3], pictures[3:]], vision("clip"))
    assert (
        whole[0] == pytest.approx(pieces[0], abs=1e-6)
        and whole[2] == pieces[2]
        and torch.equal(whole[4], pieces[4])
    )
    many = score(nodes, pictures.repeat(40, 1, 1, 1), vision("clip"))
    rows = embedding(vision("clip"), "clip", pictures).repeat(40, 1)
    assert many[0] == pytest.approx(float(((rows @ rows.T).sum() - 200) / (200 * 199)), abs=2e-5)


def test_the_vision_model_never_sees_many_pictures_at_once(nodes, vision, pictures, monkeypatch):
    seen, encode = [], vision("clip").encode_image
    monkeypatch.setattr(
        vision("clip"),
        "encode_image",
        lambda image, **more: seen.append(len(image)) or encode(image, **more),
    )
    score(nodes, pictures.repeat(20, 1, 1, 1), vision("clip"))
    assert sum(seen) == 100 and max(seen) <= 8


class Held(TorchDispatchMode):
    """The most bytes that tensors made inside it held at one time, those that share memory counted
    once.
    """

    def __init__(self):
        super().__init__()
        self.alive, self.peak = WeakIdKeyDictionary(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for made in out if isinstance(out, (tuple, list)) else [out]:
            if torch.is_tensor(made) and func.name() != "aten::detach":
                self.alive[made] = None
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in list(self.alive)
        }
        self.peak = max(self.peak, sum(storages.values()))
        return out


def test_memory_does_not_grow_with_the_story(nodes, vision, pictures):
    """The pictures are one picture, lent again and again: all copied, 100 more would hold 100 more;
    only the chart differs in size.
    """
    picture = pictures[:1].repeat(1, 8, 8, 1)
    peaks = []
    for count in (20, 120):
        with Held() as held:
            score(nodes, picture.expand(count, -1, -1, -1), vision("clip"))
        peaks.append(held.peak)
    assert peaks[0] > 8 * picture.nbytes, "eight at once are held"
    assert peaks[1] - peaks[0] < 30 * picture.nbytes


def test_cancel_stops_it(nodes, vision, pictures):
    import comfy.model_management

    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        score(nodes, pictures, vision("clip"))


def test_grey_and_alpha_are_read_as_elsewhere(nodes, vision, pictures):
    grey = pictures.mean(-1, keepdim=True)
    alpha = torch.cat([grey.expand(-1, -1, -1, 3), torch.rand(5, 32, 32, 1)], dim=-1)
    assert score(nodes, grey, vision("clip"))[0] == pytest.approx(
        score(nodes, alpha, vision("clip"))[0], abs=1e-6
    )


def test_with_a_mask_the_background_does_not_count(nodes, vision, pictures):
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:24, 8:24] = 1
    same = pictures[:1].repeat(4, 1, 1, 1)
    torch.manual_seed(5)
    other = torch.where(mask.bool().unsqueeze(-1), same, torch.rand(4, 32, 32, 3))
    assert score(nodes, other, vision("clip"))[0] < 0.9999
    likeness, _, odd, report, *_ = score(nodes, other, vision("clip"), mask=mask)
    assert likeness == pytest.approx(1.0, abs=1e-5) and odd == 0 and "only the characters" in report
    one_each = score(nodes, other, vision("clip"), mask=[mask.repeat(4, 1, 1)])[0]
    assert one_each == pytest.approx(likeness, abs=1e-6)


def test_what_does_not_fit_is_refused_by_name(nodes, vision, pictures):
    clip = toy_clip("sd15")
    own = clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0]
    captions = list("abcde")
    with refused("clip: its text embeddings"):
        score(nodes, pictures, vision("clip", projection_dim=own + 1), clip=clip, captions=captions)
    for kind in ("siglip", "dinov2"):
        with refused("clip: this clip_vision is not a CLIP"):
            score(nodes, pictures[:2], vision(kind), clip=clip, captions=captions[:2])
    bare = toy_clip("sd15")
    bare.cond_stage_model.clip_l.transformer.text_projection.weight.data = torch.eye(
        own
    )  # as ComfyUI fills in what a checkpoint lacks
    with refused("clip: its text encoder l has no projection"):
        score(nodes, pictures, vision("clip", projection_dim=own), clip=bare, captions=captions)
    with refused("captions: there are 2 captions for 5 pictures"):
        score(nodes, pictures, vision("clip"), captions=["a", "b"])
    with refused("mask: there are 2 masks for 5"):
        score(nodes, pictures, vision("clip"), mask=torch.ones(2, 32, 32))
    with refused("mask: mask 2 is empty"):
        masks = torch.ones(5, 32, 32)
        masks[1] = 0
        score(nodes, pictures, vision("clip"), mask=masks)
    with refused("clip_vision: expected a CLIP_VISION, received nothing"):
        score(nodes, pictures, None)
    with refused("images: expected an IMAGE, received dict"):
        score(nodes, [{"samples": pictures}], vision("clip"))
    with refused("images: picture 4 has no usable embedding"):
        broken = pictures.clone()
        broken[3] = math.nan
        score(nodes, broken, vision("clip"))


def test_nothing_is_changed(nodes, vision, pictures):
    images, mask, clip = pictures.clone(), torch.rand(5, 32, 32), toy_clip("sd15")
    own = clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0]
    before = (
        images.clone(),
        mask.clone(),
        {name: value.clone() for name, value in clip.cond_stage_model.state_dict().items()},
    )
    first = score(
        nodes,
        images,
        vision("clip", projection_dim=own),
        mask=mask,
        clip=clip,
        captions=list("abcde"),
    )
    again = score(
        nodes,
        images,
        vision("clip", projection_dim=own),
        mask=mask,
        clip=clip,
        captions=list("abcde"),
    )
    assert (
        torch.equal(images, before[0])
        and torch.equal(mask, before[1])
        and first[:4] == again[:4]
        and torch.equal(first[4], again[4])
    )
    assert all(
        torch.equal(value, before[2][name])
        for name, value in clip.cond_stage_model.state_dict().items()
    )
