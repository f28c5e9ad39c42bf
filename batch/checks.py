"""Whether what is connected to Story Batch fits its story."""

from typing import Any

from ..errors import InputError
from .companions import counts, items_by_number
from .cut import Conditioning, Latent


def require_frames_of(frames: Conditioning, count: int, told: tuple[bool, ...] = ()) -> None:
    """Raise InputError unless every entry of the story's conditioning has one row per frame.

    What it carries, such as masks and ControlNet pictures, must be one for all or one per frame, or
    one per line where `told` marks which lines are frames.
    """
    remedy = "Connect SVR Reweight's output here, and one Story Prompt to both nodes"
    _require_rows("frames", frames, count, {count}, remedy)
    _require_companions("frames", frames, count, told)


def require_negative_of(negative: Conditioning, count: int, told: tuple[bool, ...] = ()) -> None:
    """Raise InputError unless every entry, with what it carries, is for all or one per frame."""
    remedy = "Connect a negative of one row, which is for all frames"
    _require_rows("negative", negative, count, {1, *items_by_number(count, told)}, remedy)
    _require_companions("negative", negative, count, told)


def require_latent_of(latent: Latent, count: int, told: tuple[bool, ...] = ()) -> None:
    """Raise InputError unless latents and noise masks are one for all frames or one per frame."""
    rows, mask = latent["samples"].shape[0], latent.get("noise_mask")
    fits = {1, *items_by_number(count, told)}
    if rows not in fits:
        problem = f"it has {rows} images but the story has {count} frames{_with_lines(told)}"
        remedy = f"Connect one latent for all frames or {count}, one per frame"
        raise InputError("latent", problem, remedy)
    if mask is not None and mask.ndim > 2 and mask.shape[0] not in fits:
        items = mask.shape[0]
        problem = f"its noise mask has {items} images but the story has {count} frames"
        remedy = f"Use one mask for all frames or {count}, one per frame"
        raise InputError("latent", problem + _with_lines(told), remedy)


def require_channels_of(latent: Latent, model: Any) -> None:
    """Raise InputError where a latent's channels are not the model's.

    An empty one may have any: the sampler changes them.
    """
    has = latent["samples"].shape[1]
    wanted = model.get_model_object("latent_format").latent_channels
    if has != wanted and latent["samples"].any():
        problem = f"it has {has} channels but the model's latents have {wanted}"
        raise InputError("latent", problem, "Encode the picture with the model's own VAE")


def _require_rows(name: str, given: Conditioning, count: int, fits: set[int], remedy: str) -> None:
    for cond, _ in given:
        if cond.shape[0] not in fits:
            problem = f"the conditioning has {cond.shape[0]} rows but the story has {count} frames"
            raise InputError(name, problem, remedy)


def _require_companions(name: str, given: Conditioning, count: int, told: tuple[bool, ...]) -> None:
    fits = {1, *items_by_number(count, told)}
    for said, items in (found for _, extra in given for found in counts(extra)):
        if items not in fits:
            problem = f"{said.format(items)} for {count} frame{'s' * (count != 1)}"
            remedy = f"Use one for all frames or {count}, one per frame"
            raise InputError(name, problem + _with_lines(told), remedy)


def _with_lines(told: tuple[bool, ...]) -> str:
    return f", or {len(told)} with those that are switched off" if told else ""
