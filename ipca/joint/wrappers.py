"""IPCA around each call of a transformer: which columns count again on which rows, decided once for all blocks."""

from typing import Any

import torch

from ...families import SECOND_TEXT, Family
from ...log import warn_rarely
from ...story.rows import rows_of
from ..rows import RunRows, run_rows, speaking
from ..run import ROWS_KEY, KnowsRows
from ..schedule import runs_of, sigmas_of_run, step_of
from ..settings import Settings
from .call import JointCall, joint_length
from .columns import Columns, columns_of

OVERRIDE = "optimized_attention_override"


class JointIPCA(KnowsRows):
    """IPCA on one transformer: whose identity, and when. Called around every model call.

    No prompt of its own is encoded: the frame's prompt has the identity's keys already. So a conditioning that has lost
    whose its rows are cannot be recognised and is left as it is.
    """

    def __init__(self, family: Family, identity: tuple[str, ...], settings: Settings):
        self.family, self.identity, self.settings = family, identity, settings

    def rows_of(self, conds: dict[str, list[dict] | None]) -> RunRows[Columns]:
        run = run_rows(conds, self._columns_of)
        if not self.family.reads_length and any(columns and columns.frames > 1 for rows in run.carried.values() for columns in rows):
            warn_rarely(
                f"IPCA Patch: {self.family.name} brings all words to one length before it reads them, so SVR Reweight can hardly turn the "
                "other frames' words down in a prompt that several frames share. If frames show each other's scenes, set window_length to 1."
            )
        if run.is_empty:
            warn_rarely(
                "IPCA Patch: no prompt of this run says where the story's identity stands in it, so nothing is strengthened. "
                "Connect the frames of SVR Reweight, of the same Story Prompt, through Story Batch to the sampler."
            )
        return run

    def around_model(
        self,
        executor: Any,
        x: torch.Tensor,
        t: torch.Tensor,
        c_concat: torch.Tensor | None = None,
        c_crossattn: torch.Tensor | None = None,
        control: dict | None = None,
        transformer_options: dict | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """APPLY_MODEL wrapper: an override for this call, round the one that is there. The options are copied, never changed.

        Some transformers run no DIFFUSION_MODEL wrapper, and other packs' nodes replace the override: so it is here, at
        every call, that ours is put round theirs.
        """
        options = transformer_options or {}
        call = self._decide(executor.class_obj.diffusion_model, x, c_crossattn, options)
        if call is not None:
            options = {**options, OVERRIDE: call}
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def _columns_of(self, cond: dict) -> tuple[Columns | None, ...]:
        text: torch.Tensor | None = cond.get("cross_attn")
        rows = None if text is None else rows_of(cond, len(text))
        if text is None or rows is None:
            return (None,)
        second: torch.Tensor | None = cond.get(SECOND_TEXT)
        lengths = text.shape[1], 0 if second is None else second.shape[2]

        def of(row: Any, speaks: bool) -> Columns | None:
            # Without T5 there is no first text, and the second alone speaks.
            own = row.identity == self.identity and (speaks or not row.phrases)
            return columns_of(row, *lengths, self.family.second_times) if own else None

        return tuple(of(row, speaks) for row, speaks in zip(rows, speaking(text)))

    def _decide(self, transformer: Any, x: torch.Tensor, text: torch.Tensor | None, options: dict) -> JointCall | None:
        run: RunRows[Columns] | None = options.get(ROWS_KEY)
        if run is None or text is None:
            return None
        carried = run.of_call(options.get("uuids") or (), x.shape[0])
        if carried is None or not any(carried):
            return None
        step = self._step(options)
        if not self.settings.is_on(step):
            return None
        used = list(dict.fromkeys(columns for columns in carried if columns))
        return JointCall(
            transformer,
            self.family,
            self.settings,
            runs_of([used.index(columns) if columns else None for columns in carried], [1] * len(carried)),
            [self._on_device(columns, text) for columns in used],
            joint_length(transformer, x, used[0].keys_of(text.shape[1])),
            step,
            options.get(OVERRIDE),
        )

    def _on_device(self, columns: Columns, text: torch.Tensor) -> torch.Tensor:
        """The key columns of a call; counted from the end, and so below 0, where the text stands last."""
        length, shift = text.shape[1], 0
        if self.family.pads_left:
            shift = length - columns.length
        elif self.family.text_last:
            shift = -columns.keys_of(length)
        return torch.tensor(columns.places, device=text.device) + shift

    def _step(self, options: dict) -> int:
        """The step of this call; 0 where nothing depends on it, so that nothing is fetched from the device."""
        if not self.settings.asks_for_steps:
            return 0
        sample_sigmas = sigmas_of_run(options, True)
        return 0 if sample_sigmas is None else int(step_of(options["sigmas"][0], sample_sigmas))
