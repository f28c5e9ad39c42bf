"""Cutting a story's CONDITIONING and LATENT along its frames: what has one row a frame is cut, all else is shared."""

import torch

from ..errors import InputError
from ..story.rows import ROWS_KEY, rows_of


def slice_conditioning(conditioning: list, batch: list[int], count: int) -> list:
    """The rows `batch` of every entry, with whatever else is one a frame: whose they are, pooled vectors, masks, ControlNet hints."""
    return [[cond[batch], _slice_extra(extra, batch, count)] for cond, extra in conditioning]


def slice_latent(latent: dict, batch: list[int], count: int, noise: list[int]) -> dict:
    """Latents of the frames `batch`, from one for all or one a frame.

    `noise` says by `batch_index` which of the seed's noises each frame starts from, whichever batch it is in.
    """
    out = dict(latent)
    rows = latent["samples"].shape[0]
    if rows not in (1, count):
        raise InputError(
            "latent", f"it has {rows} images but the story has {count} frames", f"Connect one latent for all frames or {count}, one a frame"
        )
    out["samples"] = _rows_of(latent["samples"], batch)
    mask = latent.get("noise_mask")
    if mask is not None:
        if mask.ndim > 2 and mask.shape[0] not in (1, rows, count):
            raise InputError(
                "latent",
                f"its noise mask has {mask.shape[0]} images but the story has {count} frames",
                f"Use one mask for all frames or {count}, one a frame",
            )
        out["noise_mask"] = mask[batch] if mask.ndim > 2 and mask.shape[0] == count else mask
    out["batch_index"] = noise
    return out


def _rows_of(tensor: torch.Tensor, batch: list[int]) -> torch.Tensor:
    if tensor.shape[0] == 1:
        return tensor.expand(len(batch), *tensor.shape[1:]).clone()
    return tensor[batch]


def _slice_extra(extra: dict, batch: list[int], count: int) -> dict:
    out = {key: _slice_value(value, batch, count) for key, value in extra.items()}
    if (rows := rows_of(extra, count)) is not None:
        out[ROWS_KEY] = tuple(rows[frame] for frame in batch)
    return out


def _slice_value(value, batch: list[int], count: int):
    if torch.is_tensor(value) and value.ndim > 1 and value.shape[0] == count:
        return value[batch]
    if getattr(value, "cond_hint_original", None) is not None or getattr(value, "previous_controlnet", None) is not None:
        return _slice_control(value, batch, count)
    return value


def _slice_control(control, batch: list[int], count: int):
    """A copy of a ControlNet (and of those before it) whose hint is cut if it has one image a frame."""
    out = control.copy()
    hint = out.cond_hint_original
    if hint is not None and hint.shape[0] == count:
        out.cond_hint_original = hint[batch]
    if control.previous_controlnet is not None:
        out.set_previous_controlnet(_slice_control(control.previous_controlnet, batch, count))
    return out
