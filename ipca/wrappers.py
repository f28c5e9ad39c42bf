"""IPCA around a sampling run and around each UNet call: finds the identity's rows and decides for all sites at once."""

import torch

from ..errors import InputError, reported_by
from ..log import warn_rarely
from .blocks import chosen_sites
from .call import Call, Settings
from .memory import Memory, repeats
from .schedule import fallback_rows, runs_of, step_of
from .site import CALL_KEY

POSITIVES_KEY = "one_prompt_one_story.ipca_positives"


class IPCA:
    """IPCA on one MODEL: what it remembers and when. Called around every UNet call, it decides for all sites at once.

    `memories` has one entry, or one for every LoRA schedule range of a hooked CLIP.
    """

    def __init__(self, memories: tuple[Memory, ...], settings: Settings):
        self.memories = memories
        self.settings = settings

    def around_unet(self, executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs):
        """DIFFUSION_MODEL wrapper: hand this call's decision to the sites. The options are copied, never changed."""
        options = transformer_options or {}
        call = self._decide(executor.class_obj, context, options)
        return executor(x, timesteps, context, y, control, {**options, CALL_KEY: call}, **kwargs)

    def around_run(self, executor, *args, **kwargs):
        """OUTER_SAMPLE wrapper: note which conditionings to fall back to, should none of the run come from the story."""
        guider = executor.class_obj
        texts = [cond["cross_attn"] for conds in guider.conds.values() for cond in conds or () if cond.get("cross_attn") is not None]
        with reported_by("IPCA Patch"):
            self._check_widths(texts)
        from_story = any(memory.begins(text).any() for memory in self.memories for text in texts)
        positives = frozenset() if from_story else frozenset(cond["uuid"] for cond in guider.conds.get("positive") or ())
        # At this point the guider's options are the run's own copy; the run's end drops it.
        options = guider.model_options
        options["transformer_options"] = {**options["transformer_options"], POSITIVES_KEY: positives}
        return executor(*args, **kwargs)

    def _check_widths(self, texts: list[torch.Tensor]) -> None:
        expected = self.memories[0].rows.shape[1]
        for text in texts:
            if text.shape[-1] != expected:
                raise InputError(
                    "clip",
                    f"a prompt of this run is {text.shape[-1]} wide but the model's cross-attention reads {expected}",
                    "Encode every prompt, also SVR Reweight's, with the CLIP of the model's checkpoint",
                )

    def _decide(self, unet, context: torch.Tensor | None, options: dict) -> Call:
        settings = self.settings
        rows = 0 if context is None else context.shape[0]
        carries, repeated, step, sigma = self._look_at(context, options)
        chosen = next((index for index, found in enumerate(carries) if any(found)), 0)
        carried = carries[chosen] if carries else []
        if not any(carried):
            carried = _fallback(rows, options)
        on = settings.start_at_step <= step < settings.end_at_step and any(carried)
        memory = self.memories[chosen].rows
        return Call(
            settings=settings,
            attn2=chosen_sites(unet, settings.blocks) if on else {},
            memory=memory.to(context, non_blocking=True).unsqueeze(0) if on else memory,
            runs=runs_of(carried, repeated) if on else (),
            rows=rows,
            step=step,
            sigma=sigma,
            patches=options.get("patches_replace", {}).get("attn2", {}),
        )

    def _look_at(self, context: torch.Tensor | None, options: dict) -> tuple[list[list[bool]], list[int], int, float]:
        """Everything that the decision needs from the device, in one transfer."""
        sigmas, sample_sigmas = options.get("sigmas"), options.get("sample_sigmas")
        if context is None or sigmas is None:
            return [], [], 0, 0.0
        if sample_sigmas is None:
            if (self.settings.start_at_step, self.settings.dropout) != (0, 0.0):
                warn_rarely("IPCA Patch: this sampler does not tell its steps, so every step counts as step 0.")
            sample_sigmas = sigmas[:1].repeat(2)
        shortest = min(len(memory.prefix) for memory in self.memories)
        numbers = torch.cat(
            [
                *(memory.begins(context).double() for memory in self.memories),
                repeats(context, shortest).double(),
                step_of(sigmas[0], sample_sigmas.to(sigmas.device)).double().reshape(1),
                sigmas[:1].double(),
            ]
        ).tolist()
        rows, variants = context.shape[0], len(self.memories)
        carries = [[bool(flag) for flag in numbers[index * rows : (index + 1) * rows]] for index in range(variants)]
        repeated = [int(count) for count in numbers[variants * rows : (variants + 1) * rows]]
        return carries, repeated, int(numbers[-2]), numbers[-1]


def _fallback(rows: int, options: dict) -> list[bool]:
    positives = options.get(POSITIVES_KEY)
    if positives is None:  # a call outside a run that we have seen begin
        return fallback_rows(rows, options.get("cond_or_uncond", []), frozenset([0]))
    return fallback_rows(rows, options.get("uuids", []), positives)
