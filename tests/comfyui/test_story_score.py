"""Story Score as ComfyUI calls it, on ComfyUI's own vision classes: CLIP, SigLIP and DINOv2."""

import math

import comfy.clip_vision
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from bench.toy_models import toy_clip, toy_vision


@pytest.fixture(scope="module")
def vision(tmp_path_factory):
    made, folder = {}, tmp_path_factory.mktemp("vision")
    return lambda kind, **settings: made.setdefault(
        (kind, *settings.items()), toy_vision(kind, folder, **settings)
    )


@pytest.fixture(scope="module")
def pictures():
    torch.manual_seed(4)
    base = torch.rand(1, 32, 32, 3)
    return (base + 0.15 * torch.randn(5, 32, 32, 3)).clamp(0, 1)


def score(nodes, images, vision, **inputs):
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return (
        nodes["StoryScore"]
        .execute(
            images=images if isinstance(images, list) else [images], clip_vision=[vision], **lists
        )
        .args
    )


def embedding(vision, kind, pictures):
    """Straight from ComfyUI's own model, a picture at a time."""
    rows = []
    for picture in pictures:
        pixels = comfy.clip_vision.clip_preprocess(
            picture[None], vision.image_size, vision.image_mean, vision.image_std
        ).float()
        if kind == "clip":
            rows.append(vision.model(pixels)[2][0])
        elif kind == "siglip":
            rows.append(vision.model(pixels)[0][0].mean(0))
        else:
            rows.append(vision.model(pixels)[0][0, 0])
    return torch.nn.functional.normalize(torch.stack(rows).double(), dim=-1)


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


@pytest.mark.parametrize("masked", [False, True])
def test_gain_over_a_baseline(nodes, vision, pictures, masked):
    """Measured as the story is, one mask for all on both; a baseline may have other sizes and come
    in pieces.
    """
    mask = torch.zeros(1, 32, 32)
    mask[:, 4:28, 4:28] = 1
    more = {"mask": mask} if masked else {}
    torch.manual_seed(6)
    far = [torch.rand(2, 32, 32, 3), torch.rand(3, 24, 24, 3)]
    before, plain = (
        score(nodes, far, vision("clip"), **more),
        score(nodes, pictures, vision("clip"), **more),
    )
    told = score(nodes, pictures, vision("clip"), baseline=far, **more)
    expected = (plain[0] - before[0]) / (1 - before[0])
    assert (
        expected > 0.1
        and told[5] == pytest.approx(expected, abs=1e-6)
        and told[:3:2] == plain[:3:2]
    )
    assert (
        f"gain {expected:.2f}: the baseline's likeness is {before[0]:.3f}" in told[3]
        and told[4].shape[2] > plain[4].shape[2]
    )
    assert math.isnan(plain[5]) and "gain" not in plain[3]
    back = score(nodes, far, vision("clip"), baseline=pictures, **more)[5]
    assert back == pytest.approx((before[0] - plain[0]) / (1 - plain[0]), abs=1e-5) and back < 0
    assert score(nodes, pictures, vision("clip"), baseline=pictures, **more)[5] == 0
    assert score(nodes, pictures[:1].repeat(3, 1, 1, 1), vision("clip"), baseline=far, **more)[
        5
    ] == pytest.approx(1, abs=1e-6)


def test_masks_of_a_baseline_are_its_own(nodes, vision, pictures):
    """The character in the middle of the story's pictures and at the top of the baseline's: where
    its masks are there, the gain is 0.
    """
    masks, others = torch.zeros(5, 32, 32), torch.zeros(5, 32, 32)
    masks[:, 8:24], others[:, :16] = 1, 1
    shifted = pictures.roll(-8, dims=1)
    alone = score(nodes, shifted, vision("clip"), mask=others)[0]
    story = score(nodes, pictures, vision("clip"), mask=masks)[0]
    found = score(
        nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=others
    )[5]
    assert alone != pytest.approx(story, abs=1e-5) and found == pytest.approx(
        (story - alone) / (1 - alone), abs=1e-6
    )
    with refused(
        "baseline: its pictures have no masks, those of images have one each. Connect baseline_mask"
    ):
        score(nodes, pictures, vision("clip"), mask=masks, baseline=shifted)
    with refused("baseline_mask: the pictures of images have no mask"):
        score(nodes, pictures, vision("clip"), baseline=shifted, baseline_mask=others)
    with refused("baseline_mask: there are 2 masks for 5 pictures"):
        score(
            nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=others[:2]
        )
    with refused("baseline_mask: mask 1 is empty"):
        score(
            nodes, pictures, vision("clip"), mask=masks, baseline=shifted, baseline_mask=0 * others
        )
    with refused("baseline_mask: there are no baseline pictures"):
        score(nodes, pictures, vision("clip"), mask=masks, baseline_mask=others)


def test_a_baseline_that_gives_no_gain(nodes, vision, pictures):
    with refused("baseline: its likeness needs two pictures or more, received 1"):
        score(nodes, pictures, vision("clip"), baseline=pictures[:1])
    with refused("baseline: picture 2 has no usable embedding"):
        score(
            nodes,
            pictures,
            vision("clip"),
            baseline=torch.stack([pictures[0], pictures[1] * math.nan]),
        )
    _, _, _, report, _, gain, _ = score(nodes, pictures[:1], vision("clip"), baseline=pictures[:1])
    assert math.isnan(gain) and "gain: not measured, a single picture" in report
    _, _, _, report, _, gain, _ = score(
        nodes, pictures, vision("clip"), baseline=pictures[:1].repeat(5, 1, 1, 1)
    )
    assert (
        math.isnan(gain)
        and "gain: not measured, the baseline's pictures are already identical (1.000)" in report
    )
    report = score(nodes, pictures, vision("clip"), baseline=1 - pictures[:3])[3]
    assert (
        report.count("gain") == 1
        and "only for the whole: the baseline's 3 pictures do not pair with 5" in report
    )


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


RED, GREEN, BLUE = (torch.eye(3)[channel].expand(16, 8, 3) for channel in range(3))


def beside(*parts):
    """A picture [1, 16, 8 n, 3] of plain parts."""
    return torch.cat(parts, dim=1).unsqueeze(0)


def test_colours_overlap_by_their_shares(nodes, vision):
    """Bhattacharyya's coefficient of shares (1/2, 1/2) and (1/2, 1/2) of red in common is 1/2, of
    (1/3, 2/3) and (1/2, 1/2) of the same two sqrt(1/6) + sqrt(1/3). Sizes differ, and neither place
    nor an alpha channel counts.
    """
    pictures = [beside(RED, GREEN), beside(BLUE, RED), beside(GREEN, RED, GREEN)]
    third = math.sqrt(1 / 6) + math.sqrt(1 / 3)
    pairs = (0.5, third, math.sqrt(1 / 6))  # 1 and 2, 1 and 3, 2 and 3
    *_, report, chart, _, colours = score(nodes, pictures, vision("clip"))
    assert colours == pytest.approx(sum(pairs) / 3, abs=1e-9)
    assert f"colours {colours:.3f}: mean overlap of the colours of whole pictures" in report
    assert f"least: picture 2, {(pairs[0] + pairs[2]) / 2:.3f}" in report
    for line, (a, b) in zip(report.splitlines()[-3:], ((0, 1), (0, 2), (1, 2)), strict=True):
        assert line.strip().endswith(f"colours {(pairs[a] + pairs[b]) / 2:.3f}")
    alpha = [torch.cat([part, torch.rand(*part.shape[:3], 1)], dim=-1) for part in pictures]
    assert score(nodes, alpha, vision("clip"))[6] == colours
    told = score(nodes, pictures[:2], vision("clip"), baseline=pictures[1:])
    assert told[6] == pytest.approx(0.5) and f"the baseline has {pairs[2]:.3f}" in told[3]


def test_colours_in_the_mask_do_not_see_the_scene(nodes, vision):
    pictures = torch.cat([beside(RED, GREEN), beside(RED, BLUE), beside(RED, 1 - RED)])
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    whole, inside, outside = (
        score(nodes, pictures, vision("clip"), **more)
        for more in ({}, {"mask": mask}, {"mask": 1 - mask})
    )
    assert whole[6] == pytest.approx(0.5) and inside[6] == pytest.approx(1) and outside[6] == 0
    assert "the colours of the characters" in inside[3] and "least" not in inside[3]
    third = torch.where(mask > 0, 1.0, 0.5)  # the scene at half weight: shares 2/3 and 1/3
    assert score(nodes, pictures, vision("clip"), mask=third)[6] == pytest.approx(2 / 3)
    halved = mask[:, ::2, ::2]  # the edge of a mask of another size is soft
    assert 0.8 < score(nodes, pictures, vision("clip"), mask=halved)[6] < 1
    with refused("mask: mask 2 is empty at its picture's size, 16x16. Connect masks of the"):
        dot = torch.zeros(3, 64, 64)
        dot[0], dot[2] = 1, 1
        dot[1, 0, 0] = 1
        score(nodes, pictures, vision("clip"), mask=dot)


def test_fit_is_the_mean_cosine_to_the_own_caption(nodes, vision, pictures):
    clip = toy_clip("sd15")
    captions = ["in a meadow", "in the snow", "on the moon", "(by the sea:1.0)", "at home"]
    fitting = vision(
        "clip",
        projection_dim=clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0],
    )
    _, fit, _, report, *_ = score(nodes, pictures, fitting, clip=clip, captions=captions)
    texts = []
    for caption in captions:  # the pooled output of ComfyUI's own encoding, projected
        _, pooled = clip.encode_from_tokens(clip.tokenize(caption), return_pooled="unprojected")
        texts.append(
            pooled[0] @ clip.cond_stage_model.clip_l.transformer.text_projection.weight.float().T
        )
    texts = torch.nn.functional.normalize(torch.stack(texts).double(), dim=-1)
    expected = (embedding(fitting, "clip", pictures) * texts).sum(-1)
    assert fit == pytest.approx(float(expected.mean()), abs=2e-5)
    assert f"fit {expected[1]:.3f}" in report and "in the snow" in report
    one_text = score(nodes, pictures, fitting, clip=clip, captions="\n".join(captions))
    assert one_text[1] == fit


def test_of_two_towers_the_one_that_fits_is_taken(nodes, vision, pictures):
    clip = toy_clip("sdxl")
    for tower in ("l", "g"):
        weight = getattr(clip.cond_stage_model, f"clip_{tower}").transformer.text_projection.weight
        fitting = vision("clip", projection_dim=weight.shape[0])
        _, fit, *_ = score(nodes, pictures[:1], fitting, clip=clip, captions="in a meadow")
        encoder = getattr(clip.cond_stage_model, f"clip_{tower}")
        encoder.set_clip_options({"projected_pooled": True})
        projected = encoder.encode_token_weights(clip.tokenize("in a meadow")[tower])[1][0]
        encoder.reset_clip_options()
        expected = torch.nn.functional.cosine_similarity(
            embedding(fitting, "clip", pictures[:1])[0], projected.double(), dim=0
        )
        assert fit == pytest.approx(float(expected), abs=2e-5)


def test_a_single_picture_has_no_likeness_but_may_have_a_fit(nodes, vision, pictures):
    likeness, fit, odd, report, chart, _, colours = score(
        nodes, pictures[:1], vision("clip"), captions="in a meadow"
    )
    assert math.isnan(likeness) and math.isnan(fit) and odd == 0 and chart.shape[0] == 1
    assert math.isnan(colours) and "colours" not in report
    assert (
        "a single picture has no other to compare with" in report
        and "clip not connected" in report
        and "in a meadow" in report
    )


def refused(name):
    return pytest.raises(ValueError, match=f"Story Score - {name}")


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


def test_a_vision_model_without_a_projection_is_no_clip(nodes, tmp_path, pictures):
    """ComfyUI 0.33 gives such a model, a SigLIP, an Identity in the projection's place."""
    clip = toy_clip("sd15")
    own = clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0]
    vision = toy_vision("siglip", tmp_path, hidden_size=own)
    vision.model.visual_projection = torch.nn.Identity()
    with refused("clip: this clip_vision is not a CLIP"):
        score(nodes, pictures[:2], vision, clip=clip, captions=["a", "b"])


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
