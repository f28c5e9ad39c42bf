"""Whether the references that a run's frames should see have reached it."""

from ..errors import InputError
from ..story.rows import rows_of
from .plan import Conds

THROUGH_STORY_BATCH = (
    "Connect SVR Reweight's frames to Story Batch, and its positive to the sampler"
)


def require_handed_out(conds: Conds) -> None:
    """Raise InputError where a frame's references are missing in its conditioning: Story Batch was
    bypassed.

    A negative that is made of the frames, as by Conditioning Zero Out, may do without.
    """
    for cond in (cond for role, found in conds.items() if role != "negative" for cond in found):
        text = cond.get("cross_attn")
        for row in (None if text is None else rows_of(cond, len(text))) or ():
            if len(row.references) > len(cond.get("reference_latents") or ()):
                problem = "a frame is sampled without the pictures of its cast"
                raise InputError("story", problem, THROUGH_STORY_BATCH)
