"""IPCA around a sampling run and around each of its model calls, the same for UNets and
transformers.

One decision per model call, taken before it: which step this is, whether IPCA is on at it, and what
each row attends to. The attention sites only compute.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import torch
from comfy.conds import CONDRegular
from comfy.model_patcher import ModelPatcher

from ..errors import reported_by
from ..log import warn_rarely
from .backend import Probe
from .compiled import is_compiled, mark
from .names import CALL_KEY, NODE, NUMBERS, PLAN_KEY
from .parts import decided_by_part, has_replaced_forward
from .plan import Cond, Conds, Plan, Tally, numbered, under_own_names
from .references import require_handed_out
from .reports import NO_RUN, ROWS_UNKNOWN, report_run, step_aside
from .settings import Settings

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, eq=False)
class ModelCall(Generic[T]):
    """One call of a diffusion model with latents `x` [B, C, ..] and `text` [B, T, features], in
    `dtype` inside.

    `targets` has one entry per row: what it attends to at this `step`, None for nothing. `options`
    are the call's transformer_options and `given` its other keywords. `compiled`: torch.compile
    traces the model.
    """

    model: Any
    x: torch.Tensor
    text: torch.Tensor
    dtype: torch.dtype
    targets: list[T | None]
    step: int
    options: dict[str, Any]
    compiled: bool
    tally: Tally
    probe: Probe
    given: Mapping[str, Any] = field(default_factory=dict)


class Side(Protocol[T]):
    """What differs between UNets and transformers."""

    @property
    def settings(self) -> Settings:
        """What the artist chose."""

    def put_on(self, patched: ModelPatcher) -> None:
        """Whatever else the model's own clone needs before a run."""

    def require_own_attention(self, model: torch.nn.Module, guider: Any) -> None:
        """Raise InputError where another pack's guider samples with an attention of its own, in
        which ours cannot be.
        """

    def targets(self, conds: Conds) -> dict[UUID, tuple[T | None, ...]]:
        """What every row of a run's conditionings attends to. InputError where they cannot be of
        this model.
        """

    def when_off(self, target: T) -> T | None:
        """What is left of a target at steps at which IPCA is off."""

    def options_for(self, call: ModelCall[T]) -> dict[str, Any]:
        """The call's options as the attention sites need them: a copy, or the same where there is
        nothing to do.
        """


class Wrappers(Generic[T]):
    """The wrappers of one IPCA Patch; `node_id` is where warnings are shown in the page."""

    def __init__(self, side: Side[T], node_id: str | None = None):
        self.side, self.node_id = side, node_id

    def around_run(self, executor: Any, noise: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """OUTER_SAMPLE wrapper: plan the run, and warn if IPCA was never applied."""
        guider = executor.class_obj
        # At this point the guider's conditionings and options are the run's own copies; the run's
        # end drops them.
        conds = {role: found or [] for role, found in guider.conds.items()}
        with reported_by(NODE):
            require_handed_out(conds)
            model = guider.model_patcher.get_model_object("diffusion_model")
            self.side.require_own_attention(model, guider)
            targets, numbers = numbered(self.side.targets(conds))
        plan = Plan(targets, latents=len(noise))
        guider.conds = {
            role: [_with_numbers(cond, numbers) for cond in found] for role, found in conds.items()
        }
        options = guider.model_options["transformer_options"]
        guider.model_options["transformer_options"] = {**options, PLAN_KEY: plan}
        out = executor(noise, *args, **kwargs)
        report_run(plan.tally, self.node_id)
        return out

    def around_sampler(self, executor: Any, guider: Any, *args: Any, **kwargs: Any) -> Any:
        """SAMPLER_SAMPLE wrapper: the conditionings are prepared by now. Note each one's numbers
        under a uuid of its own.
        """
        plan: Plan[T] | None = guider.model_options["transformer_options"].get(PLAN_KEY)
        if plan is not None:
            guider.conds = under_own_names(guider.conds, plan)
        return executor(guider, *args, **kwargs)

    def around_model(
        self,
        executor: Any,
        x: torch.Tensor,
        t: torch.Tensor,
        c_concat: torch.Tensor | None = None,
        c_crossattn: torch.Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """APPLY_MODEL wrapper: takes the numbers out of the keywords and hands this call's decision
        to the sites.
        """
        given = kwargs.pop(NUMBERS, None)
        options = dict(transformer_options or {})
        plan: Plan[T] | None = options.pop(PLAN_KEY, None)
        if plan is None:
            warn_rarely(NO_RUN)
        elif c_crossattn is not None:
            numbers = plan.numbers_of_call(given, options.get("uuids") or (), len(x))
            if numbers is None:
                step_aside(plan.tally, ROWS_UNKNOWN)
                numbers = [0] * len(x)
            options, more = self._decide(
                plan, executor.class_obj, x, c_crossattn, numbers, options, kwargs
            )
            kwargs.update(more)
        out: torch.Tensor = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        return out

    def _decide(
        self,
        plan: Plan[T],
        base: Any,
        x: torch.Tensor,
        text: torch.Tensor,
        numbers: list[int],
        options: dict[str, Any],
        given: Mapping[str, Any],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The call's options with what its sites need, and more keywords for a model that is not
        plainly called.
        """
        settings, model = self.side.settings, base.diffusion_model
        step = plan.steps.step(options) if any(numbers) and settings.needs_steps else 0
        on = settings.is_on(step)
        due = any(self._targets(plan, numbers, on))
        plan.tally.due += due
        compiled = is_compiled(model, options)
        dtype = base.get_dtype() if base.manual_cast_dtype is None else base.manual_cast_dtype

        def decide(
            model: Any, x: torch.Tensor, text: torch.Tensor, numbers: list[int]
        ) -> dict[str, Any]:
            targets = self._targets(plan, numbers, on)
            return self.side.options_for(
                ModelCall(
                    model,
                    x,
                    text,
                    dtype,
                    targets,
                    step,
                    options,
                    compiled,
                    plan.tally,
                    plan.probe,
                    given,
                )
            )

        decided = decide(model, x, text, numbers)
        if due and has_replaced_forward(model):
            return decided_by_part(decided, len(x), decide), {NUMBERS: (torch.tensor(numbers),)}
        return decided, mark(model) if compiled and CALL_KEY in decided else {}

    def _targets(self, plan: Plan[T], numbers: list[int], on: bool) -> list[T | None]:
        targets = plan.targets_of(numbers)
        return (
            targets
            if on
            else [None if target is None else self.side.when_off(target) for target in targets]
        )


def _with_numbers(cond: Cond, numbers: dict[UUID, list[int]]) -> Cond:
    """A conditioning with the numbers of its rows among its model conditionings, on the CPU.

    All conditionings of a run need them: ComfyUI puts only those with the same entries into one
    model call.
    """
    carried = CONDRegular(torch.tensor(numbers[cond["uuid"]], dtype=torch.int64, device="cpu"))
    return {**cond, "model_conds": {**cond["model_conds"], NUMBERS: carried}}
