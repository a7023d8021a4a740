"""Those who work on pieces: processes of this machine, or a cluster (`replay.pieces.cluster`)."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from replay.pieces.merging import ChainMerge, Mergeable
from replay.processes.pool import WorkerPool
from replay.processes.worker import WaitForStart

if TYPE_CHECKING:  # whoever starts processes shall not import Arrow first
    from orderbook.engine import Engine
    from recorder.settings import EngineName
    from replay.pieces.cutting import ProductPiece, ProductPieces

C = TypeVar("C")
M = TypeVar("M", bound=Mergeable)


class Workers(Protocol):
    """Work on pieces and merge what comes of them.

    Attributes:
        width: how many work at once.
        are_elsewhere: whether they may have another working directory.
    """

    width: int
    are_elsewhere: bool

    def ready_engine(self, engine: "Engine | EngineName") -> "Engine | EngineName":
        """Return what to send as the engine of a piece.

        Raises:
            EngineError: if `compiled` is requested and numba is not installed.
        """

    def merged(
        self, work: "Callable[[C, ProductPiece], M]", common: C, products: "Sequence[ProductPieces]"
    ) -> list[M]:
        """Return the merged result of each product, in order.

        Args:
            work: a pure function of a module; the files that it writes may be written again.
            common: what it needs for every piece; picklable.
            products: their pieces.

        Raises:
            BooktapeError: the first failure of a piece.
            InterruptedRunError: if a signal ended the run.
            LostProcessError: if a process died.
        """


@dataclass(frozen=True, slots=True)
class _Call:
    work: "Callable[[Any, ProductPiece], Any]"
    common: Any
    piece: "ProductPiece"


class LocalWorkers(AbstractContextManager["LocalWorkers"]):
    """Processes of this machine, which start when it is entered.

    Args:
        number: how many.
        engine: the engine that they load at once, if its compiled code is in the cache.
        module: what they import at once: it has the work to do.
    """

    def __init__(self, number: int, engine: "Engine | EngineName", module: str) -> None:
        self.width, self.are_elsewhere = number, False
        name = engine if isinstance(engine, str) else engine.name
        self._pool = WorkerPool[_Call, Any](_run, number, name, module)

    def __enter__(self) -> Self:
        """Start the processes."""
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.__exit__()

    def ready_engine(self, engine: "Engine | EngineName") -> "Engine | EngineName":
        """Return the engine of a piece; see `WorkerPool.ready_engine`."""
        return self._pool.ready_engine(engine)

    def merged(
        self, work: "Callable[[C, ProductPiece], M]", common: C, products: "Sequence[ProductPieces]"
    ) -> list[M]:
        """Return the merged result of each product; see `Workers`."""
        merging = ChainMerge[M]([len(product.pieces) for product in products])
        calls = [_Call(work, common, piece) for product in products for piece in product.each()]
        self._pool.run_each(calls, merging.add)
        return merging.results()


def _run(call: _Call, _wait_for_start: WaitForStart) -> Any:
    return call.work(call.common, call.piece)
