"""Round a sampling run: settling whose the rows of its model calls are."""

from abc import ABC, abstractmethod
from typing import Any

from ..errors import reported_by
from .rows import RunRows, with_own_names

ROWS_KEY = "one_prompt_one_story.ipca_rows"


class KnowsRows(ABC):
    """The wrappers that every IPCA has round a run. What its rows attend to is the subclass's to say."""

    @abstractmethod
    def rows_of(self, conds: dict[str, list[dict] | None]) -> RunRows:
        """What each row of a guider's conditionings, by role, attends to. InputError where they cannot be of this model."""

    def around_run(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """OUTER_SAMPLE wrapper: note what each row of the run's conditionings attends to."""
        guider = executor.class_obj
        # At this point the guider's options are the run's own copy; the run's end drops it.
        options = guider.model_options
        with reported_by("IPCA Patch"):
            options["transformer_options"] = {**options["transformer_options"], ROWS_KEY: self.rows_of(guider.conds)}
        return executor(*args, **kwargs)

    def around_sampler(self, executor: Any, guider: Any, *args: Any, **kwargs: Any) -> Any:
        """SAMPLER_SAMPLE wrapper: the guider's conditionings, prepared by now and the run's own, each get a name for itself."""
        run: RunRows | None = guider.model_options["transformer_options"].get(ROWS_KEY)
        if run is not None:
            guider.conds = with_own_names(guider.conds, run.roles)
        return executor(guider, *args, **kwargs)
