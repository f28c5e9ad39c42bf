"""Cutting a story's CONDITIONING and LATENT along its frames: what has one row a frame is cut, all else is shared."""

from typing import Any

import torch

from ..errors import InputError
from ..story.rows import ROWS_KEY, rows_of
from ..svr.stack import padded_lengths, trimmed


class Cut:
    """The frames `batch` (counted from 0) out of what has one row for each of a story's `count` frames."""

    def __init__(self, batch: list[int], count: int):
        self.batch = batch
        self.count = count
        # By identity: core gives positive and negative one ControlNet, and only then samples them in one UNet call.
        self._controls: dict[int, Any] = {}

    def conditioning(self, conditioning: list) -> list:
        """These frames' rows of every entry, with what else is one a frame: whose they are, pooled vectors, masks, ControlNet hints.

        An entry of one row is for all frames: its row stays, what is one a frame beside it is cut. The padding of prompts
        that are shorter than others of the story goes.
        """
        return [self._entry(cond, extra) for cond, extra in conditioning]

    def latent(self, latent: dict, noise: list[int]) -> dict:
        """Latents of these frames, from one for all or one a frame.

        `noise` says by `batch_index` which of the seed's noises each of them starts from, whichever batch it is in.
        """
        out = dict(latent)
        samples, mask = latent["samples"], latent.get("noise_mask")
        out["samples"] = samples.expand(len(self.batch), *samples.shape[1:]).clone() if samples.shape[0] == 1 else samples[self.batch]
        if mask is not None and mask.ndim > 2:
            out["noise_mask"] = self._rows(mask)
        out["batch_index"] = noise
        return out

    def _entry(self, cond: torch.Tensor, extra: dict) -> list:
        lengths = padded_lengths("frames", cond, rows_of(extra, self.count))
        rows, kept = self._rows(cond), self._extra(extra)
        return trimmed(rows, kept, [lengths[frame] for frame in self.batch]) if lengths else [rows, kept]

    def _rows(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[self.batch] if tensor.shape[0] == self.count else tensor

    def _extra(self, extra: dict) -> dict:
        out = {key: self._value(value) for key, value in extra.items()}
        if (records := rows_of(extra, self.count)) is not None:
            out[ROWS_KEY] = tuple(records[frame] for frame in self.batch)
        return out

    def _value(self, value: Any) -> Any:
        if torch.is_tensor(value) and value.ndim > 1:
            return self._rows(value)
        if getattr(value, "cond_hint_original", None) is not None or getattr(value, "previous_controlnet", None) is not None:
            return self._control(value)
        return value

    def _control(self, control: Any) -> Any:
        """A copy of a ControlNet (and of those before it) whose hint and masks are cut where they are one a frame."""
        if id(control) not in self._controls:
            out = control.copy()
            if out.cond_hint_original is not None:
                out.cond_hint_original = self._rows(out.cond_hint_original)
            out.extra_concat_orig = [self._rows(extra) for extra in getattr(out, "extra_concat_orig", ())]
            if control.previous_controlnet is not None:
                out.set_previous_controlnet(self._control(control.previous_controlnet))
            self._controls[id(control)] = out
        return self._controls[id(control)]


def require_a_row_a_frame(name: str, conditioning: list, count: int, remedy: str, one_for_all: bool = False) -> None:
    """Raise InputError unless every entry has `count` rows, or one row where `one_for_all`."""
    for cond, _ in conditioning:
        rows = cond.shape[0]
        if rows != count and not (one_for_all and rows == 1):
            raise InputError(name, f"the conditioning has {rows} rows but the story has {count} frames", remedy)


def alike(conditioning: list, count: int) -> list[tuple]:
    """For each of a story's `count` frames the lengths of its prompts: only frames equal in them may share a batch."""
    lengths = [padded_lengths("frames", cond, rows_of(extra, count)) or [(0, 0)] * count for cond, extra in conditioning]
    return list(zip(*lengths))


def require_latent_of(latent: dict, count: int) -> None:
    """Raise InputError unless the latent and its noise mask have one image for all frames or one a frame."""
    rows, mask = latent["samples"].shape[0], latent.get("noise_mask")
    if rows not in (1, count):
        raise InputError(
            "latent", f"it has {rows} images but the story has {count} frames", f"Connect one latent for all frames or {count}, one a frame"
        )
    if mask is not None and mask.ndim > 2 and mask.shape[0] not in (1, rows, count):
        raise InputError(
            "latent",
            f"its noise mask has {mask.shape[0]} images but the story has {count} frames",
            f"Use one mask for all frames or {count}, one a frame",
        )
