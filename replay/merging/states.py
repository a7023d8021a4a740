"""The states that a connection goes through in a window of time: its book, and the trades that it has told.

The digest of a book changes with each level in O(1): it is the sum of a hash of each level. States with equal
digests are equal but for a chance of 2**-64; what is chosen by it is compared level by level afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.book import Levels
from orderbook.decimals import shortest_size
from orderbook.engine import Engine, State
from orderbook.events import BookEvent, BookFrame
from orderbook.trades import TradeWatch
from replay.merging.connections import SourceConnection

_MASK: Final = 2**64 - 1


class BookDigest:
    """The digest of a book, kept as levels change.

    Attributes:
        value: the digest; None if no book is known.
    """

    def __init__(self, levels: Levels | None) -> None:
        self.value: int | None = None
        self._sides: tuple[dict[int, str], dict[int, str]] = {}, {}
        if levels is not None:
            self.apply(BookEvent(True, levels.bids, levels.asks))

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot or an update; an update of an unknown book changes nothing. O(changes)."""
        if event.is_snapshot:
            self.value, self._sides = 0, ({}, {})
        if self.value is None:
            return
        value = self.value
        for number, levels in enumerate((event.bids, event.asks)):
            side = self._sides[number]
            for price, size in levels:
                new, old = shortest_size(size), side.get(price, "")
                if old:
                    value -= hash((number, price, old))
                if new:
                    side[price] = new
                    value += hash((number, price, new))
                elif old:
                    del side[price]
        self.value = value & _MASK


class StateKey(NamedTuple):
    """What two connections have in common at the same moment: the book, and the last trade."""

    book: int
    trade_id: int | None


@dataclass(frozen=True, slots=True)
class StateRun:
    """Consecutive rows after which the state is the same.

    Attributes:
        key: the state; None if no book is known.
        first_seq: the first row after the one that led to it.
        end_seq: the row that changes it, or the end of the window.
        frames: number of frames of book and trades in it, which change nothing.
        is_begun: whether the row that led to it is in the window.
        exchange_time: time of the last frame of the book, by the exchange; None if it is not known.
    """

    key: StateKey | None
    first_seq: int
    end_seq: int
    frames: int
    is_begun: bool
    exchange_time: int | None


@dataclass(frozen=True, slots=True)
class StateWindow:
    """The states of a connection in a window.

    Attributes:
        connection: the connection.
        runs: in order; the first one may have begun before the window.
        first_seq: the first row of the window.
        times: time of each row, on the common clock.
        had_trades: whether the window has trades, or its connection is known to have them.
        is_last: whether the connection has no trusted row after the window.
        saved: the book before the window, in the form of `Engine.save`.
    """

    connection: SourceConnection
    runs: tuple[StateRun, ...]
    first_seq: int
    times: npt.NDArray[np.int64]
    had_trades: bool
    is_last: bool
    saved: bytes

    def time_before(self, seq: int) -> int:
        """Return the time of the row before a seq."""
        return int(self.times[seq - 1 - self.first_seq])

    def first_after(self, run: StateRun, time: int) -> int:
        """Return the first row of a run after a time; the row after the run if there is none."""
        low, high = run.first_seq - self.first_seq, run.end_seq - self.first_seq
        return self.first_seq + low + int(np.searchsorted(self.times[low:high], time, side="right"))


def state_window(
    connection: SourceConnection, start: int, end: int, end_seq: int, engine: Engine
) -> StateWindow | None:
    """Return the states in a window; None if the connection has no row in it.

    Args:
        connection: the connection.
        start: time of the beginning of the window.
        end: time of its end.
        end_seq: the row before which it ends at the latest.
        engine: runs the book up to the window.
    """
    tracer: _Tracer | None = None
    state, rows_from = _state_before(connection, start, engine)
    is_last = True
    for rows in connection.source.rows(rows_from, end_seq):
        times = rows.column("recv_time").view(pa.int64()).to_numpy() + connection.shift
        low, high = int(np.searchsorted(times, start)), int(np.searchsorted(times, end, side="right"))
        if low:
            state, _ = engine.step(state, rows.slice(0, low))
        if low < high:
            if tracer is None:
                seq = rows.column("seq")[low].as_py()
                tracer = _Tracer(connection, seq, engine.levels(state), engine.save(state))
            tracer.add(rows.slice(low, high - low), times[low:high])
        if high < rows.num_rows:
            is_last = False
            break
    return None if tracer is None else tracer.window(is_last=is_last)


def book_before(window: StateWindow, seq: int, engine: Engine) -> Levels | None:
    """Return the whole book before a row of a window, as the engine makes it of the rows."""
    state = engine.load(window.saved)
    for rows in window.connection.source.rows(window.first_seq, seq):
        state, _ = engine.step(state, rows)
    return engine.levels(state)


def _state_before(connection: SourceConnection, time: int, engine: Engine) -> tuple[State, int]:
    """Return a state of a connection at or before a time, and the row after it."""
    tape = connection.source.tape
    start = tape.start_before(time - connection.shift)
    if start.saved is None or start.seq <= connection.first.seq:
        return engine.start(tape.product, tape.feed), connection.first.seq
    return engine.load(start.saved), start.seq


class _Tracer:
    """Follows the rows of a window."""

    def __init__(
        self, connection: SourceConnection, first_seq: int, levels: Levels | None, saved: bytes
    ) -> None:
        self._connection = connection
        self._saved = saved
        self._venue, self._product = connection.source.venue, connection.source.tape.product
        self._watch = TradeWatch(self._product, self._venue)
        self._watch.note_connection(connection.subscribes is True)
        self._digest = BookDigest(levels)
        self._trade_id: int | None = None
        self._exchange_time: int | None = None
        self._first_seq = self._run_seq = first_seq
        self._next_seq = first_seq
        self._frames = 0
        self._key = self._key_now()
        self._runs: list[StateRun] = []
        self._times: list[npt.NDArray[np.int64]] = []

    def _key_now(self) -> StateKey | None:
        return None if self._digest.value is None else StateKey(self._digest.value, self._trade_id)

    def add(self, rows: pa.RecordBatch, times: npt.NDArray[np.int64]) -> None:
        """Follow the next rows."""
        self._times.append(times)
        for kind, payload in _kinds_and_payloads(rows):
            before = self._exchange_time
            tells = kind == "frame" and self._frame(payload)
            key = self._key_now()
            if key != self._key:
                self._end_run(before)
                self._key, self._run_seq, self._frames = key, self._next_seq + 1, 0
            else:
                self._frames += tells
            self._next_seq += 1

    def _frame(self, payload: str) -> bool:
        """Follow a frame; return whether it tells of the book or a trade."""
        frame = self._venue.decode(payload, self._product)
        if isinstance(frame, BookFrame):
            for event in frame.events:
                self._digest.apply(event)
            if frame.events:
                self._exchange_time = frame.exchange_time
        told = self._watch.read(payload)
        for trade in told.trades if told else ():  # a heartbeat may name a trade before it comes
            self._trade_id = max(trade.trade_id, self._trade_id or trade.trade_id)
        is_book = isinstance(frame, BookFrame) and bool(frame.events)
        return is_book or (told is not None and bool(told.trades))

    def _end_run(self, exchange_time: int | None) -> None:
        """End the current run before the row that is being read; its time is that of the frames before."""
        is_begun = self._run_seq > self._first_seq
        run = StateRun(self._key, self._run_seq, self._next_seq, self._frames, is_begun, exchange_time)
        self._runs.append(run)

    def window(self, *, is_last: bool) -> StateWindow:
        """Return what was found."""
        self._end_run(self._exchange_time)
        had_trades = self._watch.had_trades
        times = np.concatenate(self._times)
        return StateWindow(
            self._connection, tuple(self._runs), self._first_seq, times, had_trades, is_last, self._saved
        )


def _kinds_and_payloads(rows: pa.RecordBatch) -> Iterator[tuple[str, str]]:
    return zip(rows.column("kind").to_pylist(), rows.column("payload").to_pylist(), strict=True)
