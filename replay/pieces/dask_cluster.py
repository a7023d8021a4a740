"""Dask as the engine of a cluster: `booktape[cluster]`."""

import logging
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, Final
from urllib.parse import urlsplit

from orderbook.errors import BooktapeError, OptionError, reason_of
from replay.processes.starting import LostProcessError

LOCAL: Final = "local:"
_TIMEOUT: Final = "30s"  # for a scheduler that is there, on a machine that is busy
_REACHED_S: Final = 5.0
_MOST: Final = 64  # processes, as of --processes


class DaskCluster:
    """The cluster behind a client of Dask; see `replay.pieces.cluster.Cluster`.

    Dask has no types, so its values are of any.

    Attributes:
        width: number of threads of its workers when it was made, at least 1.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.width = max(sum(client.nthreads().values()), 1)

    def map(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Begin a task for each call; a task that is lost with its worker is run again."""
        if not calls:
            return []
        tasks: list[Any] = self._client.map(function, *zip(*calls, strict=True), pure=False)
        return tasks

    def results(self, tasks: Sequence[Any]) -> list[Any]:
        """Wait for tasks and return their results."""
        from distributed import KilledWorker  # noqa: PLC0415  an extra, and heavy

        try:
            found: list[Any] = self._client.gather(list(tasks))
        except BooktapeError:
            raise
        except KilledWorker as error:
            last = getattr(error.last_worker, "address", "a worker")
            reason = f"several workers of the cluster died over the same piece, the last one was {last}"
            raise LostProcessError(reason) from None
        except (CancelledError, OSError, TimeoutError) as error:
            scheduler = getattr(self._client.scheduler, "address", "the scheduler")
            raise LostProcessError(f"the cluster is lost: {scheduler}: {reason_of(error)}") from None
        return found

    def cancel(self, tasks: Sequence[Any]) -> None:
        """Give up tasks."""
        self._client.cancel(list(tasks), force=True)


@contextmanager
def dask_cluster(address: str) -> Iterator[DaskCluster]:
    """Connect to a scheduler, or start workers here, and yield the cluster.

    Args:
        address: of the scheduler, such as `tcp://scheduler:8786`, or `local:4` for four processes here.

    Raises:
        OptionError: if it is no address, Dask is not installed, or no scheduler answers.
    """
    try:
        import distributed  # noqa: PLC0415  an extra, and heavy
    except ImportError:
        reason = "needs Dask: pip install 'booktape[cluster]'"
        raise OptionError(reason, option="cluster", value=address) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it says in pages what we say in a line
    connect: Any = distributed.Client
    if address.startswith(LOCAL):
        with _local(address) as local, connect(local) as client:
            yield DaskCluster(client)
        return
    try:
        _check_reachable(address)
        client = connect(address, timeout=_TIMEOUT)
    except (OSError, TimeoutError, ValueError) as error:
        reason = f"no scheduler answers at {address} ({reason_of(error)})"
        raise OptionError(reason, option="cluster", value=address) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_REACHED_S)
        except TimeoutError:
            reason = f"the scheduler at {address} has no workers"
            raise OptionError(reason, option="cluster", value=address) from None
        yield DaskCluster(client)


def _check_reachable(address: str) -> None:
    """Check that something listens at an address of TCP: a client of Dask would try it again and again.

    Raises:
        OSError, ValueError: if nothing does, or it is no address.
    """
    place = urlsplit(address)
    if place.hostname is not None and place.port is not None:
        socket.create_connection((place.hostname, place.port), _REACHED_S).close()


@contextmanager
def _local(address: str) -> Iterator[Any]:
    """Yield a cluster of processes of this machine, on loopback and without a dashboard.

    Ctrl-C goes to all processes of a terminal. It is blocked while they are started, which they inherit, so
    it ends this process alone, once that can end the others.
    """
    import distributed  # noqa: PLC0415  an extra, and heavy

    number = address.removeprefix(LOCAL)
    if not re.fullmatch("[1-9][0-9]?", number) or int(number) > _MOST:
        reason = f"{address!r} names no number of processes from 1 to {_MOST}: write local:4"
        raise OptionError(reason, option="cluster", value=address)
    make: Any = distributed.LocalCluster
    # without an address its web server takes 8787, and warns if that of another run has it
    web = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
    resource_tracker.ensure_running()  # it unblocks Ctrl-C in the thread that first needs it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with make(n_workers=int(number), threads_per_worker=1, host="127.0.0.1", **web) as local:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield local
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
