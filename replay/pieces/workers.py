"""Those who work on pieces: processes of this machine, or a cluster (`replay.pieces.cluster`)."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from orderbook.engine import Engine
from recorder.runtime.loading import engine_name
from recorder.settings import EngineName
from replay.pieces.merging import ChainMerge, Mergeable
from replay.processes import WaitForStart, WorkerPool

P = TypeVar("P")
M = TypeVar("M", bound=Mergeable)


class Workers(Protocol):
    """Work on pieces and merge what comes of them."""

    def ready_engine(self, engine: Engine | EngineName) -> Engine | EngineName:
        """Return what to send as the engine of a piece.

        Raises:
            EngineError: if `compiled` is requested and numba is not installed.
        """

    def merged(self, work: Callable[[P], M], chains: Sequence[Sequence[P]]) -> list[M]:
        """Return the merged result of each chain of adjacent pieces, in order.

        Args:
            work: a pure function of a module; the files that it writes may be written again.
            chains: the pieces of each, at least one; they are pickled.

        Raises:
            BooktapeError: the first failure of a piece.
            InterruptedRunError: if a signal ended the run.
            LostProcessError: if a process died.
        """


@dataclass(frozen=True, slots=True)
class _Call:
    work: Callable[[Any], Any]
    piece: Any


class LocalWorkers(AbstractContextManager["LocalWorkers"]):
    """Processes of this machine, which start when it is entered.

    Args:
        number: how many.
        engine: the engine that they load at once, if its compiled code is in the cache.
    """

    def __init__(self, number: int, engine: Engine | EngineName) -> None:
        self._pool = WorkerPool[_Call, Any](_run, number, engine_name(engine))

    def __enter__(self) -> Self:
        """Start the processes."""
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.__exit__()

    def ready_engine(self, engine: Engine | EngineName) -> Engine | EngineName:
        """Return the engine of a piece; see `WorkerPool.ready_engine`."""
        return self._pool.ready_engine(engine)

    def merged(self, work: Callable[[P], M], chains: Sequence[Sequence[P]]) -> list[M]:
        """Return the merged result of each chain; see `Workers`."""
        merging = ChainMerge[M]([len(chain) for chain in chains])
        self._pool.run_each([_Call(work, piece) for chain in chains for piece in chain], merging.add)
        return merging.results()


def _run(call: _Call, _wait_for_start: WaitForStart) -> Any:
    return call.work(call.piece)
