"""A story's CONDITIONING and LATENT, cut along its frames: what has a row per frame is cut."""

import copy
from typing import Any

import torch

from ..story.rows import ROWS_KEY, rows_of
from ..svr.stack import padded_lengths, trimmed, with_tokens_of
from .companions import HINTS, LEAST_AXES, is_holder, items_by_number

Conditioning = list[list[Any]]  # entries [rows (n, tokens, width), dict], as ComfyUI has them
Latent = dict[str, Any]


class Cut:
    """The frames `batch` (from 0) out of what has one row for each of a story's `count` frames.

    Or one for each of its lines, where `told` says which of them are frames.
    """

    def __init__(self, batch: list[int], count: int, told: tuple[bool, ...] = ()):
        self.batch = batch
        self.count = count
        self._items = items_by_number(count, told)
        # By identity: core gives positive and negative the same ControlNet, and samples the two in
        # one UNet call only where it is the same.
        self._controls: dict[int, Any] = {}

    def conditioning(self, conditioning: Conditioning) -> Conditioning:
        """These frames' rows of every entry, and everything else that is per frame.

        That is the record of the rows, what `companions.py` lists, and any other tensor with a row
        per frame, in a list too. An entry of one row is for all frames: its row stays, its
        per-frame items are cut. The padding of prompts that are shorter than others of the story
        goes.
        """
        return [self._entry(cond, extra) for cond, extra in conditioning]

    def latent(self, latent: Latent, noise: list[int]) -> Latent:
        """Latents of these frames, from one for all or one per frame.

        `noise` says by `batch_index` which of the seed's noises each of them starts from, in
        whatever batch it is.
        """
        samples, mask = latent["samples"], latent.get("noise_mask")
        one_for_all = samples.shape[0] == 1
        out = {**latent, "batch_index": noise}
        out["samples"] = samples[[0] * len(self.batch)] if one_for_all else self._rows(samples)
        if mask is not None and mask.ndim > 2:
            out["noise_mask"] = self._rows(mask)
        return out

    def _entry(self, cond: torch.Tensor, extra: dict[str, Any]) -> list[Any]:
        lengths = padded_lengths("frames", cond, rows_of(extra, self.count))
        rows, kept = self._rows(cond), self._extra(extra)
        if lengths is None:
            return [rows, kept]
        return trimmed(rows, kept, [lengths[frame] for frame in self.batch])

    def _rows(self, tensor: torch.Tensor) -> torch.Tensor:
        items = self._items.get(tensor.shape[0])
        return tensor if items is None else tensor[[items[frame] for frame in self.batch]]

    def _extra(self, extra: dict[str, Any]) -> dict[str, Any]:
        out = {key: self._value(value, LEAST_AXES.get(key, 2)) for key, value in extra.items()}
        if (records := rows_of(extra, self.count)) is not None:
            out[ROWS_KEY] = tuple(records[frame] for frame in self.batch)
            out = with_tokens_of(out[ROWS_KEY][0], out)
        return out

    def _value(self, value: Any, least_axes: int = 2) -> Any:
        if torch.is_tensor(value):
            return self._rows(value) if value.ndim >= least_axes else value
        if isinstance(value, list):
            return [self._value(item, least_axes) for item in value]
        if is_holder(value):
            out = copy.copy(value)
            vars(out).update({name: self._value(held) for name, held in vars(value).items()})
            return out
        is_control = (*HINTS, "previous_controlnet")
        if any(getattr(value, name, None) is not None for name in is_control):
            return self._control(value)
        return value

    def _control(self, control: Any) -> Any:
        """A copy of a ControlNet and those before it, hints and masks of one per frame cut."""
        if id(control) not in self._controls:
            out = control.copy()
            for name in HINTS:
                if getattr(out, name, None) is not None:
                    setattr(out, name, self._value(getattr(out, name)))
            extras = getattr(out, "extra_concat_orig", ())
            out.extra_concat_orig = [self._rows(extra) for extra in extras]
            if control.previous_controlnet is not None:
                out.set_previous_controlnet(self._control(control.previous_controlnet))
            self._controls[id(control)] = out
        return self._controls[id(control)]
