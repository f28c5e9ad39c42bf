"""What IPCA reports when a graph keeps it from acting: in the log, and on its node in the page."""

from ..log import warn_rarely
from ..notices import show_on_node
from .names import NODE
from .plan import Tally

REMEDY = "put that node on a branch without IPCA Patch"
WORDS_TOO = (
    "Where SVR Reweight leaves it to this node, the other frames' words are not turned down either."
)
NOT_APPLIED = (
    f"{NODE}: the identity was strengthened nowhere in this run, because the attention that IPCA"
    " changes never ran. Look for a cache (TeaCache, FBCache), another attention in place of the"
    " model's own (Nunchaku, raylight), a node that skips blocks, or torch.compile on single"
    f" blocks, and {REMEDY}. {WORDS_TOO}"
)
ON_NODE = (  # a node shows two short lines and cuts off the rest
    "The identity was not strengthened. The log shows why."
)
ROWS_UNKNOWN = (
    f"{NODE}: another node changed the batch between the sampler and the model, so its rows cannot"
    f" be identified. The identity is not strengthened there; {REMEDY}. {WORDS_TOO}"
)
ROWS_UNKNOWN_INSIDE = (
    f"{NODE}: another node changed the batch inside the model (attention couple?), so its rows"
    f" cannot be identified. The identity is not strengthened there; {REMEDY}. {WORDS_TOO}"
)
NO_RUN = (
    f"{NODE}: the model was called outside a run of ComfyUI's own samplers, so it is not known"
    f" which rows carry the identity. It is not strengthened there. {WORDS_TOO}"
)


def step_aside(tally: Tally, reason: str) -> None:
    """IPCA leaves a call or a site as it is, for this reason."""
    tally.stepped_aside = True
    warn_rarely(reason)


def report_run(tally: Tally, node_id: str | None) -> None:
    """At a run's end: a warning where IPCA was due in some call and applied in none, unless the
    reason was reported.
    """
    if tally.due and not tally.applied and not tally.stepped_aside:
        warn_rarely(NOT_APPLIED)
        show_on_node(node_id, ON_NODE)
