"""Who works on the pieces of a tape, started before anything else: they load what they need meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from booktape import arguments
from orderbook.errors import OptionError

if TYPE_CHECKING:
    from distributed import Client

    from orderbook.engine import Engine
    from recorder.settings import EngineName
    from replay.pieces.cluster import Cluster
    from replay.pieces.workers import Workers

    ClientLike: TypeAlias = "Cluster | Client"
    """A client of Dask, or what stands for another engine."""


def refuse_cluster(cluster: str | None, client: ClientLike | None, reason: str) -> None:
    """Refuse a cluster for work that it cannot share.

    Raises:
        OptionError: if one is named.
    """
    if cluster is not None or client is not None:
        option = "cluster" if client is None else "client"
        raise OptionError(reason, option=option, value=cluster or client)


@contextmanager
def workers_of(
    processes: int,
    cluster: str | None,
    client: ClientLike | None,
    engine: Engine | EngineName,
    module: str,
) -> Iterator[Workers | None]:
    """Yield the workers; None for one process.

    Args:
        processes: number of processes.
        cluster: address of a scheduler of Dask, or `local:N`.
        client: a client of Dask, or a `replay.pieces.cluster.Cluster`.
        engine: what they load.
        module: has the work.

    Raises:
        OptionError: if several are named, or the cluster cannot be reached.
    """
    given = [name for name, value in (("cluster", cluster), ("client", client)) if value is not None]
    if len(given) > 1 or (given and processes > 1):
        reason = "one of processes, cluster and client says who works"
        raise OptionError(reason, option=given[0], value=cluster or client)
    if client is not None:
        from replay.pieces.cluster import ClusterWorkers
        from replay.pieces.dask_cluster import DaskCluster

        given_client: Any = client
        yield ClusterWorkers(DaskCluster(given_client) if hasattr(client, "nthreads") else given_client)
    elif cluster is not None:
        from replay.pieces.cluster import ClusterWorkers
        from replay.pieces.dask_cluster import dask_cluster

        with dask_cluster(arguments.text_of(cluster, "cluster", "local:4")) as dask:
            yield ClusterWorkers(dask)
    elif processes > 1:
        from replay.pieces.workers import LocalWorkers

        with LocalWorkers(processes, engine, module) as workers:
            yield workers
    else:
        yield None
