"""Who takes part in a run, from the hidden inputs of ComfyUI-Distributed's collector."""

import json
from collections.abc import Mapping
from typing import Any

COLLECTOR = "DistributedCollector"
MASTER_RENDERS, MASTER_DELEGATES = "renders", "only delegates"  # what Story Slate's `master` says


def automatic_part(collector: Mapping[str, Any], master_renders: bool) -> tuple[int, int] | None:
    """This participant's (part, parts) from its collector's inputs; None: it renders everything.

    The master and every worker get the same `enabled_worker_ids`, the workers that were up when the
    run was queued, in one order; a worker also gets its own `worker_id`. So all count alike without
    any message between them: the master, if it renders, has part 0, the workers follow in that
    order.

    Whether the master renders is the one thing that workers do not learn (`delegate_only` is
    written for the master only, and its own graph then has no Story Batch any more), so it has to
    be in the graph: `master_renders`. Where that is wrong, nothing is lost silently: a master that
    delegates though it should render leaves part 0 out, which Story Gather names; a master that
    renders though it should not repeats the first worker's part.

    With `load_balance` only one participant is given the work.
    """
    workers = _ids(collector.get("enabled_worker_ids"))
    runs_here = collector.get("pass_through") or is_on(collector.get("load_balance"))
    if not collector.get("multi_job_id") or runs_here or not workers:
        return None
    first = int(master_renders)
    if not collector.get("is_worker"):
        part = 0
    elif collector.get("worker_id") in workers:
        part = first + workers.index(collector["worker_id"])
    else:
        return None
    parts = first + len(workers)
    return (part, parts) if parts > 1 else None


def is_on(value: Any) -> bool:
    """A switch as the engine reads it: also from the texts that scripts write."""
    if isinstance(value, str):
        return value.strip().lower() in {"1", "true", "yes", "on"}
    return value is not None and value in (True, 1)


def _ids(text: Any) -> list[str]:
    """Worker ids of a JSON list, each once, in order; none if it is not such a list."""
    try:
        ids = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return []
    return list(dict.fromkeys(str(worker) for worker in ids)) if isinstance(ids, list) else []
