"""Entries of a conditioning that may be one per frame: every kind that core's nodes write, and some
of other packs. Each comes with as many items as asked, and an item's values are its number.
"""

import copy

import comfy.clip_vision
import comfy.controlnet
import torch


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
