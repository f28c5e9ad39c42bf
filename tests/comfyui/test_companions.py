"""What hangs on a story's frames goes with them: every kind of entry that core's nodes write."""

import pytest
import torch

from bench import inprocess
from bench.companion_kinds import KINDS, numbered, numbers_in, vision_output
from bench.studio import Studio

FOUR = ["in the snow", "at the sea", "in the forest", "in a village"]


@pytest.fixture(scope="module")
def core_nodes(nodes):
    """ComfyUI's table of nodes with those that write a conditioning's entries."""
    inprocess.load_core_extras("cond", "edit_model", "ip2p", "sdupscale", "stable_cascade")
    return nodes


@pytest.fixture(scope="module")
def s(core_nodes, models):
    return Studio(core_nodes, *models("sdxl"), frames=FOUR)


kinds = pytest.mark.parametrize("kind", KINDS)
CASES = [("", 1), ("", 2), ("", 4), ("", 0), ("3", 4), ("2,4", 1), ("2-4", 2)]


def frames_of(select):
    return {"": [1, 2, 3, 4], "3": [3], "2,4": [2, 4], "2-4": [2, 3, 4]}[select]


@kinds
@pytest.mark.parametrize("select, at_once", CASES)
def test_one_per_frame_follows_its_frame(s, kind, select, at_once):
    make, items, _ = KINDS[kind]
    before = make(s, 4)
    positives = s.batch(frames=before, select=select, frames_per_batch=at_once)[0]
    assert [
        number for positive in positives for number in numbers_in(items(positive[0][1]))
    ] == frames_of(select)
    assert numbers_in(items(before[0][1])) == [1, 2, 3, 4], "the input is left as it is"


@kinds
@pytest.mark.parametrize("at_once", [1, 2, 4, 0])
def test_one_is_for_all_frames(s, kind, at_once):
    make, items, _ = KINDS[kind]
    for positive in s.batch(frames=make(s, 1), frames_per_batch=at_once)[0]:
        assert numbers_in(items(positive[0][1])) == [1]


@kinds
@pytest.mark.parametrize("count", [2, 3, 5, 6])
def test_any_other_number_is_an_error(s, kind, count):
    make, _, said = KINDS[kind]
    with pytest.raises(ValueError) as error:
        s.batch(frames=make(s, count))
    expected = (
        f"Story Batch - frames: {said.format(count)} for 4 frames. Use one for all frames or 4, one"
        " per frame."
    )
    assert str(error.value) == expected


@kinds
def test_the_same_on_the_negative(s, kind):
    """A negative of one row is for all frames, what hangs on it need not be."""
    make, items, said = KINDS[kind]
    negative = [[s.negative[0][0], make(s, 4)[0][1]]]
    cut = s.batch(negative=negative, select="2-4", frames_per_batch=2)[3]
    assert [number for each in cut for number in numbers_in(items(each[0][1]))] == [2, 3, 4]
    with pytest.raises(ValueError, match=f"^Story Batch - negative: {said.format(3)} for 4 frames"):
        s.batch(negative=[[s.negative[0][0], make(s, 3)[0][1]]])


def test_what_is_not_known_is_for_all(s):
    """Boxes, areas and unCLIP pictures too, of which ComfyUI makes one for the whole batch."""
    unclip = [{"clip_vision_output": vision_output(4), "strength": 1.0, "noise_augmentation": 0.0}]
    gligen = ("position", object(), [(numbered(1, 8), 2, 2, 0, 0)])
    others = {
        "theirs": numbered(3, 2),
        "theirs too": [numbered(5, 2)],
        "unclip_conditioning": unclip,
        "gligen": gligen,
    }
    others |= {
        "area": (4, 4, 0, 0),
        "guidance": 3.5,
        "hooks": object(),
        "strength": torch.tensor(0.5),
    }
    frames = [[cond, {**extra, **others}] for cond, extra in s.frames]
    for positive in s.batch(frames=frames, frames_per_batch=2)[0]:
        extra = positive[0][1]
        assert torch.equal(extra["theirs"], others["theirs"]) and torch.equal(
            extra["theirs too"][0], others["theirs too"][0]
        )
        assert torch.equal(
            extra["unclip_conditioning"][0]["clip_vision_output"].image_embeds,
            unclip[0]["clip_vision_output"].image_embeds,
        )
        assert all(
            extra[name] is others[name]
            for name in ("gligen", "area", "guidance", "hooks", "strength")
        )


def test_a_mask_of_two_axes_is_one_picture(s):
    """Four pixels high, for four frames."""
    frames = [[cond, {**extra, "mask": torch.ones(4, 8)}] for cond, extra in s.frames]
    assert all(
        positive[0][1]["mask"].shape == (4, 8)
        for positive in s.batch(frames=frames, frames_per_batch=1)[0]
    )


@pytest.mark.parametrize("count", [2, 3, 5])
def test_latents_and_their_masks_of_another_number(s, count):
    samples = torch.zeros(1, 4, 8, 8)
    with pytest.raises(
        ValueError, match=f"^Story Batch - latent: it has {count} images but the story has 4 frames"
    ):
        s.batch(latent={"samples": samples.expand(count, -1, -1, -1)})
    with pytest.raises(
        ValueError,
        match=(
            f"^Story Batch - latent: its noise mask has {count} images but the story has 4 frames"
        ),
    ):
        s.batch(latent={"samples": samples, "noise_mask": torch.ones(count, 64, 64)})


@pytest.mark.parametrize("select, at_once", CASES)
def test_latents_and_their_masks_follow_their_frames(s, select, at_once):
    latent = {"samples": numbered(4, 4, 8, 8), "noise_mask": numbered(4, 1, 64, 64)}
    latents = s.batch(latent=latent, select=select, frames_per_batch=at_once)[1]
    for key in latent:
        assert [number for each in latents for number in numbers_in(each[key])] == frames_of(select)


@pytest.mark.parametrize("at_once", [1, 2, 4, 0])
def test_areas_by_the_bounds_of_a_mask_do_not_depend_on_the_batch(s, at_once):
    """ComfyUI takes one area around all masks of a batch: frames of different masks share none."""
    masks = torch.zeros(4, 64, 64)
    masks[:2, :32] = 1
    masks[2:, 32:] = 1
    frames = s.core(
        "ConditioningSetMask",
        conditioning=s.frames,
        mask=masks,
        set_cond_area="mask bounds",
        strength=1.0,
    )
    positives = s.batch(frames=frames, frames_per_batch=at_once)[0]
    for positive in positives:
        mask = positive[0][1]["mask"]
        assert torch.equal(mask, mask[:1].expand_as(mask))
    assert len(positives) == (4 if at_once == 1 else 2)
    shared = s.core(
        "ConditioningSetMask",
        conditioning=s.frames,
        mask=masks[:1],
        set_cond_area="mask bounds",
        strength=1.0,
    )
    assert len(s.batch(frames=shared, frames_per_batch=0)[0]) == 1


def test_a_style_text_is_joined_after_story_batch_at_one_frame_per_batch(s):
    """Conditioning (Concat) joins one row to one row: SVR Reweight's help says where."""
    concat, style = s.nodes["ConditioningConcat"]().concat, s.encode("watercolour")
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        concat(s.frames, style)
    positives, latents, *_ = s.batch(frames_per_batch=1)
    (joined,) = concat(positives[2], style)
    assert torch.equal(joined[0][0], torch.cat([s.frames[0][0][2:3], style[0][0]], 1))
    assert s.sample(s.ipca(), joined, latents[2]).isfinite().all()


@pytest.fixture(scope="module")
def second_is_off(core_nodes, models):
    """A story of four lines that tells the first, third and fourth."""
    return Studio(core_nodes, *models("sdxl"), frames=[FOUR[0], "# " + FOUR[1], "", "#", *FOUR[2:]])


@kinds
@pytest.mark.parametrize("select, at_once", [("", 1), ("", 2), ("", 0), ("2-3", 4), ("3", 1)])
def test_an_item_belongs_to_its_line_switched_off_or_not(second_is_off, kind, select, at_once):
    """Four items: lines 1, 3, 4 have 1, 3, 4. Three items are one for each line that is told."""
    s, (make, items, said) = second_is_off, KINDS[kind]
    told = {"": [0, 1, 2], "2-3": [1, 2], "3": [2]}[select]
    for count, theirs in ((4, [1, 3, 4]), (3, [1, 2, 3])):
        positives = s.batch(frames=make(s, count), select=select, frames_per_batch=at_once)[0]
        assert [number for each in positives for number in numbers_in(items(each[0][1]))] == [
            theirs[frame] for frame in told
        ]
    with pytest.raises(ValueError) as error:
        s.batch(frames=make(s, 5))
    assert f"{said.format(5)} for 3 frames, or 4 with those that are switched off. Use" in str(
        error.value
    )


def test_latents_masks_and_the_negative_belong_to_their_line_too(second_is_off):
    s = second_is_off
    latent = {"samples": numbered(4, 4, 8, 8), "noise_mask": numbered(4, 1, 64, 64)}
    negative = [[numbered(4, 77, 96), {}]]
    _, latents, _, negatives, _ = s.batch(latent=latent, negative=negative, frames_per_batch=2)
    for found in (
        [each["samples"] for each in latents],
        [each["noise_mask"] for each in latents],
        [each[0][0] for each in negatives],
    ):
        assert [number for each in found for number in numbers_in(each)] == [1, 3, 4]
    with pytest.raises(
        ValueError,
        match="^Story Batch - latent: it has 2 images but the story has 3 frames, or 4 with",
    ):
        s.batch(latent={"samples": numbered(2, 4, 8, 8)})


def test_bounds_of_masks_by_line(second_is_off):
    s, masks = second_is_off, torch.zeros(4, 64, 64)
    masks[[0, 2], :32] = 1
    frames = s.core(
        "ConditioningSetMask",
        conditioning=s.frames,
        mask=masks,
        set_cond_area="mask bounds",
        strength=1.0,
    )
    assert [
        positive[0][0].shape[0] for positive in s.batch(frames=frames, frames_per_batch=0)[0]
    ] == [2, 1]
