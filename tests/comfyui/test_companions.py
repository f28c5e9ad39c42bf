"""What hangs on a story's frames goes with them: every kind of entry that core's nodes write."""

import copy

import comfy.clip_vision
import comfy.controlnet
import pytest
import torch

from bench import inprocess
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


def numbered(count, *shape):
    """[count, *shape] whose items are 1, 2, ..: an item says which one it is."""
    return torch.arange(1.0, count + 1).view(count, *[1] * len(shape)).expand(count, *shape).clone()


def numbers_in(tensor):
    return [int(item.flatten()[0]) for item in tensor]


class FixedVae:
    """Encodes a picture as its own numbers."""

    def encode(self, pixels):
        return pixels[:, ::8, ::8, :1].movedim(-1, 1).expand(-1, 4, -1, -1).clone()


def controlnet():
    return comfy.controlnet.ControlNet(torch.nn.Module(), load_device="cpu")


def set_mask(s, count):
    return s.core(
        "ConditioningSetMask",
        conditioning=s.frames,
        mask=numbered(count, 64, 64),
        set_cond_area="default",
        strength=1.0,
    )


def apply_controlnet(s, count):
    apply = s.nodes["ControlNetApplyAdvanced"]().apply_controlnet
    frames, negative = apply(
        s.frames, s.negative, controlnet(), numbered(1, 64, 64, 3), 1.0, 0.0, 1.0
    )
    return apply(frames, negative, controlnet(), numbered(count, 64, 64, 3), 1.0, 0.0, 1.0)[0]


def apply_controlnet_before_another(s, count):
    first = s.core(
        "ControlNetApply",
        conditioning=s.frames,
        control_net=controlnet(),
        image=numbered(count, 64, 64, 3),
        strength=1.0,
    )
    return s.core(
        "ControlNetApply",
        conditioning=first,
        control_net=controlnet(),
        image=numbered(1, 64, 64, 3),
        strength=1.0,
    )


def extra_inputs(s, count):
    control = controlnet().set_cond_hint(
        numbered(1, 3, 64, 64), extra_concat=[numbered(count, 1, 64, 64)]
    )
    return [[cond, {**extra, "control": control}] for cond, extra in s.frames]


def masked_by_advanced_controlnet(s, count):
    class Advanced(comfy.controlnet.ControlNet):
        def copy(self):
            return copy.copy(self)

    control = Advanced(torch.nn.Module(), load_device="cpu").set_cond_hint(numbered(1, 3, 64, 64))
    control.mask_cond_hint_original = numbered(count, 64, 64)
    return [[cond, {**extra, "control": control}] for cond, extra in s.frames]


class Wrapped:
    """As Advanced-ControlNet's Reference preprocessor wraps a latent that passes for an image."""

    def __init__(self, condhint):
        self.condhint = condhint

    def movedim(self, *axes):
        return self

    def __getattr__(self, name):
        raise AttributeError("Invalid use of Reference Preprocess output")

    def __setattr__(self, name, value):
        if name != "condhint":
            raise AttributeError("Invalid use of Reference Preprocess output")
        super().__setattr__(name, value)

    def __iter__(self):
        raise AttributeError("Invalid use of Reference Preprocess output")

    def __len__(self):
        raise AttributeError("Invalid use of Reference Preprocess output")


def advanced_reference(s, count):
    hint = Wrapped(numbered(count, 4, 8, 8))
    return s.core(
        "ControlNetApply", conditioning=s.frames, control_net=controlnet(), image=hint, strength=1.0
    )


def reference_latent(s, count):
    return s.core(
        "ReferenceLatent", conditioning=s.frames, latent={"samples": numbered(count, 4, 8, 8)}
    )


def two_reference_latents(s, count):
    shared = reference_latent(s, 1)
    return s.core(
        "ReferenceLatent", conditioning=shared, latent={"samples": numbered(count, 4, 8, 8)}
    )


def instruct(s, count):
    pixels = numbered(count, 64, 64, 3)
    return s.core(
        "InstructPixToPixConditioning",
        positive=s.frames,
        negative=s.negative,
        pixels=pixels,
        vae=FixedVae(),
    )


def inpaint_mask(s, count):
    mask = numbered(count, 1, 8, 8)
    return [
        [cond, {**extra, "concat_latent_image": numbered(1, 4, 8, 8), "concat_mask": mask}]
        for cond, extra in s.frames
    ]


def upscale(s, count):
    return s.core(
        "SD_4XUpscale_Conditioning",
        images=numbered(count, 64, 64, 3),
        positive=s.frames,
        negative=s.negative,
        scale_ratio=4.0,
        noise_augmentation=0.0,
    )


def stage_b(s, count):
    return s.core(
        "StableCascade_StageB_Conditioning",
        conditioning=s.frames,
        stage_c={"samples": numbered(count, 16, 4, 4)},
    )


def entry(name, *shape):
    """An entry that core's node writes with one item; other nodes may write more."""

    def write(s, count):
        return [[cond, {**extra, name: numbered(count, *shape)}] for cond, extra in s.frames]

    return write


def vision_output(count):
    out = comfy.clip_vision.Output()
    for name in ("last_hidden_state", "image_embeds", "penultimate_hidden_states"):
        out[name] = numbered(count, 5, 3)
    out["mm_projected"] = None
    return out


def clip_vision(s, count):
    return [
        [cond, {**extra, "clip_vision_output": vision_output(count)}] for cond, extra in s.frames
    ]


def clip_vision_list(s, count):
    return [
        [cond, {**extra, "clip_vision_outputs": [vision_output(1), vision_output(count)]}]
        for cond, extra in s.frames
    ]


CONTROL = "its ControlNet has {} pictures"
# By kind: the entry with a number of items, the items that are left of it, what an error calls
# them.
KINDS = {
    "Set Mask": (set_mask, lambda extra: extra["mask"], "it has {} masks"),
    "Apply ControlNet": (
        apply_controlnet,
        lambda extra: extra["control"].cond_hint_original,
        CONTROL,
    ),
    "chained": (
        apply_controlnet_before_another,
        lambda extra: extra["control"].previous_controlnet.cond_hint_original,
        CONTROL,
    ),
    "extra inputs": (
        extra_inputs,
        lambda extra: extra["control"].extra_concat_orig[0],
        "its ControlNet has {} masks",
    ),
    "a ControlNet's own mask": (
        masked_by_advanced_controlnet,
        lambda extra: extra["control"].mask_cond_hint_original,
        CONTROL,
    ),
    "no tensor": (
        advanced_reference,
        lambda extra: extra["control"].cond_hint_original.condhint,
        CONTROL,
    ),
    "Reference Latent": (
        reference_latent,
        lambda extra: extra["reference_latents"][0],
        "it has {} reference latents in one batch",
    ),
    "two of them": (
        two_reference_latents,
        lambda extra: extra["reference_latents"][1],
        "it has {} reference latents in one batch",
    ),
    "pooled": (
        entry("pooled_output", 8),
        lambda extra: extra["pooled_output"],
        "it has {} pooled vectors",
    ),
    "a ControlNet's text": (
        entry("cross_attn_controlnet", 77, 96),
        lambda extra: extra["cross_attn_controlnet"],
        "it has {} texts for its ControlNet",
    ),
    "a ControlNet's pooled": (
        entry("pooled_output_controlnet", 8),
        lambda extra: extra["pooled_output_controlnet"],
        "it has {} pooled vectors for its ControlNet",
    ),
    "SD 4x upscaler": (
        upscale,
        lambda extra: (extra["concat_image"] + 1) / 2,  # from -1 to 1, as the model reads it
        "it has {} pictures to upscale",
    ),
    "PiD": (
        entry("lq_latent", 4, 8, 8),
        lambda extra: extra["lq_latent"],
        "it has {} latents to upscale",
    ),
    "Stable Cascade's Stage B": (
        stage_b,
        lambda extra: extra["stable_cascade_prior"],
        "it has {} latents of Stage C",
    ),
    "InstructPixToPix": (
        instruct,
        lambda extra: extra["concat_latent_image"],
        "it has {} latents to inpaint",
    ),
    "inpaint mask": (
        inpaint_mask,
        lambda extra: extra["concat_mask"],
        "it has {} masks to inpaint",
    ),
    "CLIP Vision": (
        clip_vision,
        lambda extra: extra["clip_vision_output"].penultimate_hidden_states,
        "it has {} CLIP Vision pictures",
    ),
    "CLIP Vision in a list": (
        clip_vision_list,
        lambda extra: extra["clip_vision_outputs"][1].last_hidden_state,
        "it has {} CLIP Vision pictures in one batch",
    ),
}
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
