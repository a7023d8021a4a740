"""Work on a cluster of Ray: what booktape asks of a cluster engine, in forty lines.

    import ray, booktape as bt
    from booktape.examples.ray_cluster import RayCluster

    ray.init(address="auto")
    bt.open("tape").compare("1bps:20bps:1bps", client=RayCluster())

Any other engine is adapted in the same way: `map` begins pure tasks whose arguments may be other tasks, and
`results` waits for some of them. This one was run with Ray 2.60.0; booktape tests that of Dask, `--cluster`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from booktape import LostProcessError


class RayCluster:
    """The cluster that `ray.init` has connected to; see `replay.pieces.cluster.Cluster`.

    Args:
        retries: how often a task is run again if its worker dies.

    Attributes:
        width: number of processors of the cluster.
    """

    def __init__(self, retries: int = 3) -> None:
        self._ray: Any = import_module("ray")
        self._retries = retries
        self.width = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def map(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Begin a task for each call; Ray puts in the results of tasks that are arguments."""
        remote = self._ray.remote(max_retries=self._retries)(function)
        return [remote.remote(*arguments) for arguments in calls]

    def results(self, tasks: Sequence[Any]) -> list[Any]:
        """Wait for tasks and return their results."""
        errors = self._ray.exceptions
        try:
            found: list[Any] = self._ray.get(list(tasks))
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            raise LostProcessError(f"the cluster is lost: {error}".splitlines()[0]) from None
        return found

    def cancel(self, tasks: Sequence[Any]) -> None:
        """Give up tasks."""
        for task in tasks:
            self._ray.cancel(task)
