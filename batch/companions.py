"""What ComfyUI's nodes add to a story's rows: items of which there may be one per frame.

Read off the nodes that write CONDITIONING in ComfyUI 0.3.64 to 0.33, for models that paint
pictures: masks, pooled vectors, ControlNet pictures and texts, reference latents, latents and masks
to inpaint, pictures to upscale, CLIP Vision outputs. Their first axis counts pictures, so any
number but one for all or one per frame is a mistake. What is not listed here may have any number.
Three that look alike are for all frames, because ComfyUI itself makes one of them for the whole
batch: GLIGEN boxes, unCLIP pictures and areas.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

# By entry: what an error says about it, around how many items it has.
KNOWN = {
    "pooled_output": "it has {} pooled vectors",
    "mask": "it has {} masks",
    "reference_latents": "it has {} reference latents in one batch",
    "concat_latent_image": "it has {} latents to inpaint",
    "concat_mask": "it has {} masks to inpaint",
    "concat_image": "it has {} pictures to upscale",
    "lq_latent": "it has {} latents to upscale",
    "stable_cascade_prior": "it has {} latents of Stage C",
    "cross_attn_controlnet": "it has {} texts for its ControlNet",
    "pooled_output_controlnet": "it has {} pooled vectors for its ControlNet",
    "clip_vision_output": "it has {} CLIP Vision pictures",
    "clip_vision_outputs": "it has {} CLIP Vision pictures in one batch",
}
LEAST_AXES = {"mask": 3}  # a mask of two axes is one picture, which has no axis that counts
# Pictures that a ControlNet carries, the second one in Advanced-ControlNet's.
HINTS = ("cond_hint_original", "mask_cond_hint_original")


def items_by_number(count: int, told: tuple[bool, ...] = ()) -> dict[int, Sequence[int]]:
    """By how many items there are, the item (from 0) of each of a story's `count` frames.

    There may be as many as frames, or as lines with the switched-off ones: `told` is the Story's.
    """
    lines = [place for place, is_told in enumerate(told) if is_told]
    return {len(told): lines, count: range(count)} if told else {count: range(count)}


def counts(extra: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Items of a conditioning's dict of which there may be one per frame: (how an error names them,
    how many).

    `extra` is the dict of one entry of a CONDITIONING.
    """
    for key, said in KNOWN.items():
        for tensor in tensors_in(extra.get(key)):
            if tensor.ndim >= LEAST_AXES.get(key, 2):
                yield said, tensor.shape[0]
    control = extra.get("control")
    while control is not None:
        for name in HINTS:
            for hint in tensors_in(getattr(control, name, None)):
                yield "its ControlNet has {} pictures", hint.shape[0]
        for tensor in getattr(control, "extra_concat_orig", ()):
            yield "its ControlNet has {} masks", tensor.shape[0]
        control = getattr(control, "previous_controlnet", None)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of one entry: itself, a list's, a CLIP Vision output's or a wrapped hint's."""
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from tensors_in(item)
    elif is_holder(value):
        yield from filter(torch.is_tensor, vars(value).values())


def is_holder(value: Any) -> bool:
    """Whether an object carries pictures' tensors: a CLIP Vision output, or a wrapped hint.

    Advanced-ControlNet's Reference preprocessor wraps a latent so that it passes for an image.
    """
    held = getattr(value, "__dict__", {})
    return "condhint" in held or "penultimate_hidden_states" in held
