"""IPCA around each UNet call: one decision for all sites at once."""

from typing import Any

import torch

from ..errors import InputError
from .blocks import chosen_sites
from .call import Call
from .memory import Memories, Memory, repeats
from .rows import RunRows, memories_of_run
from .run import ROWS_KEY, KnowsRows
from .schedule import positive_rows, runs_of, sigmas_of_run, step_of
from .settings import Settings
from .site import CALL_KEY


class IPCA(KnowsRows):
    """IPCA on one MODEL: what it remembers and when. Called around every UNet call, it decides for all sites at once."""

    def __init__(self, memories: Memories, settings: Settings):
        self.memories = memories
        self.settings = settings

    def around_unet(
        self,
        executor: Any,
        x: torch.Tensor,
        timesteps: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        y: torch.Tensor | None = None,
        control: dict | None = None,
        transformer_options: dict | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """DIFFUSION_MODEL wrapper: hand this call's decision to the sites. The options are copied, never changed."""
        options = transformer_options or {}
        call = self._decide(executor.class_obj, context, options)
        return executor(x, timesteps, context, y, control, {**options, CALL_KEY: call}, **kwargs)

    def rows_of(self, conds: dict[str, list[dict] | None]) -> RunRows[Memory]:
        self._check_widths([cond["cross_attn"] for found in conds.values() for cond in found or () if cond.get("cross_attn") is not None])
        return memories_of_run(conds, self.memories)

    def _check_widths(self, texts: list[torch.Tensor]) -> None:
        expected = self.memories.whole.rows.shape[1]
        for text in texts:
            if text.shape[-1] != expected:
                raise InputError(
                    "clip",
                    f"a prompt of this run is {text.shape[-1]} wide but the model's cross-attention reads {expected}",
                    "Encode every prompt, also SVR Reweight's, with the CLIP of the model's checkpoint",
                )

    def _decide(self, unet: Any, context: torch.Tensor | None, options: dict) -> Call:
        settings = self.settings
        rows = 0 if context is None else context.shape[0]
        carried, repeated, step, sigma = self._look_at(context, options)
        on = settings.is_on(step) and any(carried)
        used = list(dict.fromkeys(memory for memory in carried if memory)) if on else []
        numbers = [used.index(memory) if memory else None for memory in carried] if on else []
        return Call(
            settings=settings,
            attn2=chosen_sites(unet, settings.blocks) if on else {},
            memories=tuple(memory.rows.to(context, non_blocking=True).unsqueeze(0) for memory in used),
            runs=runs_of(numbers, repeated),
            rows=rows,
            step=step,
            sigma=sigma,
            patches=options.get("patches_replace", {}).get("attn2", {}),
        )

    def _look_at(self, context: torch.Tensor | None, options: dict) -> tuple[list[Memory | None], list[int], int, float]:
        """Each row's memory and repetitions, the step and its sigma: everything that is on the device, in one transfer."""
        sample_sigmas = sigmas_of_run(options, self.settings.asks_for_steps)
        if context is None or sample_sigmas is None:
            return [], [], 0, 0.0
        sigmas = options["sigmas"]
        run: RunRows | None = options.get(ROWS_KEY)
        rows = context.shape[0]
        carried = run.of_call(options.get("uuids") or (), rows) if run else None
        candidates = self.memories.every() if carried is None else []
        numbers = torch.cat(
            [
                *(memory.begins(context).double() for memory in candidates),
                repeats(context, len(self.memories.whole.places)).double(),
                step_of(sigmas[0], sample_sigmas).double().reshape(1),
                sigmas[:1].double(),
            ]
        ).tolist()
        if carried is None:
            carried = self._recognised([numbers[index * rows : (index + 1) * rows] for index in range(len(candidates))], rows, run, options)
        repeated = [int(count) for count in numbers[len(candidates) * rows : -2]]
        return carried, repeated, int(numbers[-2]), numbers[-1]

    def _recognised(self, begins: list[list[float]], rows: int, run: RunRows | None, options: dict) -> list[Memory | None]:
        """For rows that no run told us about: by their embeddings, else, outside any run, the positive ones."""
        found = [next((memory for memory, flag in zip(self.memories.every(), flags) if flag), None) for flags in zip(*begins)]
        if run is not None or any(found):
            return found
        return [self.memories.whole if positive else None for positive in positive_rows(rows, options.get("cond_or_uncond", []), 0)]
