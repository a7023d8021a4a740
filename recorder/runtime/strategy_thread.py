"""A strategy behind a live feed runs on a thread of its own: it never keeps a recording from its end.

What the strategy has not taken waits here, up to a bound; beyond it the book waits for the strategy, and rows
wait in the journal. When the recording ends, a strategy that does not come back is given up.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, Self

import pyarrow as pa

from orderbook.display import plural
from orderbook.engine import Step
from orderbook.result import Result
from orderbook.strategy import StrategyError
from recorder.runtime.strategy_run import StrategyDocument, WriteRows
from recorder.settings import STRATEGY_BYTES
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position

Outlets = tuple[Callable[[StrategyError], None], Callable[[OSError], None], Callable[[BaseException], None]]
"""Take failures of a strategy, of its output, and defects."""

_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """How a strategy that trades stands on one product.

    Attributes:
        queue: the queue model; the first, if there are several.
        position: size held.
        orders: number of resting orders.
        fills: number of fills since it began.
        net: profit at the last mid, fees taken off, in the quote currency; None if there is no mid.
    """

    queue: str
    position: float
    orders: int
    fills: int
    net: float | None

    def line(self) -> str:
        """Return it as one line."""
        orders, fills = plural(self.orders, "open order"), plural(self.fills, "fill")
        net = "no mid" if self.net is None else f"net {self.net:,.2f}"
        return f"on paper ({self.queue}): position {self.position:.4g}, {orders}, {fills}, {net}"


class LiveStrategy(Protocol):
    """What a recording runs: a strategy of rows, or one that trades.

    Attributes:
        name: its name, `module:factory`.
        reads_rows: whether it takes the rows of a tape, and not the steps of the book.
        reads_trades: whether the steps shall hold the trades.
        failure: its first failure, if any.
        write: takes what it has made.
    """

    name: str
    reads_rows: bool
    reads_trades: bool
    failure: StrategyError | None
    write: WriteRows

    def begin(self, feed: str, positions: Mapping[str, Position], tape: Tape | None, /) -> None:
        """Begin with the next rows of products, on a tape or nowhere; before the feed, on another thread.

        Raises:
            TapeError: if what it needs to note on the tape cannot be written.
        """

    def catch_up(self, is_out_of_time: Callable[[], bool], /) -> None:
        """Read what it needs of the rows before, or stop once there is no time. Raises as `take` does."""

    def take(self, product: str, /, *item: Any) -> None:
        """Process the next rows of a product, and whether they begin a segment; or the next step.

        Raises:
            StrategyError: if the strategy of this product fails; it is not asked again.
            OSError: if what it has made cannot be written.
        """

    def finish(self) -> None:
        """End the strategies of all products; raises the same."""

    def standing(self, product: str, /) -> Standing | None:
        """Return how it stands on a product, from any thread; None if it does not trade there."""

    def line(self) -> str:
        """Return the line under a result."""

    def document(self) -> StrategyDocument | None:
        """Return the JSON form of its rows."""

    @property
    def digest(self) -> str | None:
        """Digest of its rows, hex."""

    @property
    def execution(self) -> Result | None:
        """The numbers of what it traded."""

    @property
    def execution_digest(self) -> str | None:
        """The execution digest, hex."""


class StrategyThread(AbstractContextManager["StrategyThread"]):
    """Runs a strategy while the block does; at its end it waits until everything is taken.

    Args:
        strategy: the strategy.
        is_ending: tells whether the feed has ended or was told to.
        outlets: called if the strategy fails for a product, or does not come back; if what it has made cannot
            be written, after which it goes on; and with anything else that is raised.
        patience_s: seconds that a strategy may take for one call once the feed is ending.
    """

    def __init__(
        self,
        strategy: LiveStrategy,
        is_ending: Callable[[], bool],
        outlets: Outlets,
        patience_s: float,
    ) -> None:
        self.strategy = strategy
        self._is_ending = is_ending
        self._on_failure, self._on_lost_output, self._on_defect = outlets
        self._patience_s = patience_s
        self._change = threading.Condition()
        self._items: deque[tuple[str, tuple[Any, ...], int]] = deque()
        self._waiting_bytes = 0
        self._calls = 0  # that have returned
        self._place = "at its start"
        self._is_last = self._is_over = False
        self._ending_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="strategy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._change:
            self._is_over = self._is_over or kind is not None
            self._is_last = True
            self._change.notify_all()
            self._wait_until(lambda: False)  # for the end of the thread, which sets `_is_over`

    def put(self, product: str, item: Step | pa.RecordBatch, *more: bool) -> None:
        """Hand over what `LiveStrategy.take` takes next; waits while too much has not been taken."""
        size = _bytes_of(item)
        if not size:
            return
        with self._change:
            self._wait_until(lambda: self._waiting_bytes < STRATEGY_BYTES)
            if not self._is_over:
                self._items.append((product, (item, *more), size))
                self._waiting_bytes += size
                self._change.notify_all()

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds or the strategy is over; give it up if an ending feed waits for it."""
        calls, since = self._calls, time.monotonic()
        while not (holds() or self._is_over):
            self._change.wait(_POLL_S)
            now = time.monotonic()
            if self._calls != calls or not (self._is_last or self._is_ending()):
                calls, since = self._calls, now
            elif now - since > self._patience_s and not self._is_over:
                self._give_up(f"it has not come back for {self._patience_s:g} s")

    def _give_up(self, reason: str) -> None:
        self._is_over = True
        self.strategy.write = _discard
        error = StrategyError(f"strategy {self.strategy.name}, {self._place}: {reason}")
        self.strategy.failure = self.strategy.failure or error
        self._on_failure(error)

    def _is_out_of_time(self) -> bool:
        """Tell whether the feed has been ending for longer than the strategy has; every call is progress."""
        with self._change:
            self._calls += 1
            self._change.notify_all()
            if not (self._is_last or self._is_ending()):
                return False
            now = time.monotonic()
            self._ending_since = now if self._ending_since is None else self._ending_since
            return now - self._ending_since > self._patience_s

    def _run(self) -> None:
        try:
            self._call(partial(self.strategy.catch_up, self._is_out_of_time))
            while (item := self._next()) is not None:
                product, value, size = item
                self._call(partial(self.strategy.take, product, *value))
                with self._change:
                    self._waiting_bytes -= size
                    self._calls += 1
                    self._change.notify_all()
            if not self._is_over:
                self._call(self.strategy.finish)
        except BaseException as error:  # noqa: BLE001  a defect, which must end the recording
            self._on_defect(error)
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def _next(self) -> tuple[str, tuple[Any, ...], int] | None:
        """Return what the strategy takes next; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._items or self._is_last or self._is_over)
            if self._is_over or not self._items:
                self._place = "at its end"
                return None
            product, value, _ = item = self._items.popleft()
            self._place = f"{product}, {_rows_of(value[0])}"
            return item

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
        except StrategyError as error:
            if not self._is_over:
                self._on_failure(error)
        except KeyboardInterrupt:  # its own: Ctrl-C reaches the main thread alone
            with self._change:
                if not self._is_over:
                    self._give_up("KeyboardInterrupt")
        except OSError as error:
            self.strategy.write = _discard
            self._on_lost_output(error)


def _discard(_product: str, _rows: pa.RecordBatch) -> None:
    """Discard what nobody takes any more."""


def _tables(item: Step | pa.RecordBatch) -> list[pa.RecordBatch]:
    """Return what a strategy reads of an item."""
    if not isinstance(item, Step):
        return [item]
    return [item.summaries, *([] if item.trades is None else [item.trades.trades])]


def _bytes_of(item: Step | pa.RecordBatch) -> int:
    """Return the bytes that an item holds; 0 if it holds nothing for a strategy."""
    return sum(table.nbytes for table in _tables(item) if table.num_rows)


def _rows_of(item: Step | pa.RecordBatch) -> str:
    seqs = [table.column("seq")[end].as_py() for table in _tables(item) if table.num_rows for end in (0, -1)]
    return f"rows {min(seqs)} to {max(seqs)}"
