"""Pieces on a cluster, whichever engine runs it: all that is asked of an engine is `Cluster`.

Pieces and merges are pure tasks from bytes to bytes: a task whose worker died is run again, and a merge does
not change the results that it takes. Results are merged as a tree on the cluster, adjacent ones only: what
comes back is one result for each product.
"""

import pickle
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orderbook.errors import BooktapeError, StepError, explain
from recorder.runtime.memory import keeping_freed_memory
from recorder.runtime.signals import InterruptedRunError, on_signals
from recorder.tape.errors import TapeError
from replay.pieces.merging import Mergeable, merged

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from recorder.settings import EngineName
    from replay.pieces.cutting import ProductPiece, ProductPieces

C = TypeVar("C")
M = TypeVar("M", bound=Mergeable)
Task = Any
"""What a cluster knows a task by."""

_POLL_S = 0.2
_ONE_AT_A_TIME = threading.Lock()


class Cluster(Protocol):
    """What pieces ask of a cluster engine.

    Attributes:
        width: number of tasks that it runs at once, about.
    """

    width: int

    def map(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Task]:
        """Begin a task for each call, in order, and return them at once.

        Args:
            function: a function of a module.
            calls: the arguments of each. A task stands for its result, which does not come to this process.
        """

    def results(self, tasks: Sequence[Task]) -> list[Any]:
        """Wait for tasks and return their results, in order.

        Raises:
            BooktapeError: if a task raised it.
            LostProcessError: if the cluster is lost, or its workers die again and again.
        """

    def cancel(self, tasks: Sequence[Task]) -> None:
        """Give up tasks that nobody waits for any more."""


class ClusterWorkers:
    """The workers of a cluster; see `replay.pieces.workers.Workers`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.width, self.are_elsewhere = cluster.width, True

    def ready_engine(self, engine: "Engine | EngineName") -> "Engine | EngineName":
        """Return the name of the engine that the workers load; one of your own is sent.

        Raises:
            EngineError: if `compiled` is requested and a worker does not have numba.
        """
        if not isinstance(engine, str):
            return engine
        [name] = self._results(self._cluster.map(_loaded_name, [(engine,)]))
        loaded: EngineName = "plain" if name == "plain" else "compiled"
        return loaded

    def merged(
        self, work: "Callable[[C, ProductPiece], M]", common: C, products: "Sequence[ProductPieces]"
    ) -> list[M]:
        """Return the merged result of each product; see `Workers`."""
        [shared] = self._cluster.map(_same, [(pickle.dumps((work, common)),)])
        pieces = [piece for each in products for piece in each.each()]
        tasks = iter(self._cluster.map(_run, [(shared, piece) for piece in pieces]))
        chains = [[next(tasks) for _ in each.pieces] for each in products]
        while any(len(chain) > 1 for chain in chains):
            chains = self._merge_pairs(chains)
        return [pickle.loads(each) for each in self._results([chain[0] for chain in chains])]  # noqa: S301  of our own cluster

    def _merge_pairs(self, chains: list[list[Task]]) -> list[list[Task]]:
        """Merge neighbours of each chain; the last one of an odd number stays."""
        pairs = [pair for chain in chains for pair in zip(chain[::2], chain[1::2], strict=False)]
        tasks = iter(self._cluster.map(_merge, pairs))
        return [[next(tasks) for _ in chain[1::2]] + chain[len(chain) // 2 * 2 :] for chain in chains]

    def _results(self, tasks: list[Task]) -> list[Any]:
        """Wait for tasks, so that a signal gives them up.

        Raises:
            InterruptedRunError: if a signal ended the run.
        """
        interrupted = threading.Event()
        with on_signals(interrupted.set), ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(self._cluster.results, tasks)
            while not wait([waiting], _POLL_S).done:
                if interrupted.is_set():
                    self._cluster.cancel(tasks)
                    break
        if interrupted.is_set():
            raise InterruptedRunError("interrupted; nothing was written")
        return waiting.result()


def _same(value: bytes) -> bytes:
    """Return a value: the result of a task is sent once to each worker, and made again if it is lost."""
    return value


def _loaded_name(engine: "EngineName") -> str:
    from recorder.runtime.loading import load_engine  # noqa: PLC0415  which imports Arrow

    with _ONE_AT_A_TIME:
        return load_engine(engine).name


def _run(shared: bytes, piece: "ProductPiece") -> bytes:
    """Run a piece on a worker."""
    try:
        work, common = pickle.loads(shared)  # noqa: S301  of our own client
        # A worker may have several threads, and the work is Python's.
        with _ONE_AT_A_TIME, keeping_freed_memory():
            return pickle.dumps(work(common, piece))
    except TapeError as error:
        where = f"on the worker {socket.gethostname()}, which needs the tape under the same path"
        raise TapeError(f"{error} ({where})") from None
    except (BooktapeError, MemoryError):
        raise
    except ImportError as error:
        where = f"the worker {socket.gethostname()}"
        raise StepError(f"{where} cannot import what it needs, such as your strategy: {error}") from None
    except Exception as error:
        raise StepError(explain(error)) from error


def _merge(earlier: bytes, later: bytes) -> bytes:
    """Merge the results of adjacent pieces on a worker."""
    return pickle.dumps(merged(pickle.loads(earlier), pickle.loads(later)))  # noqa: S301  of our own workers
