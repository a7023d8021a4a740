"""What the page can ask of tapes and a RUN: one question at a time, answers kept within a bound."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Final, TypeVar

import pyarrow as pa

from orderbook.engine import Engine
from recorder.installed import tape_name
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.run_dir.backtests import BacktestRun
from replay.viewing.books import KeptBooks
from replay.viewing.own import OwnOrders
from replay.viewing.reading import OpenPassage, ViewError
from replay.viewing.source import Source
from replay.viewing.wire import one_row, to_ipc

KEPT_BYTES: Final = 192 * 2**20
"""Bytes of passages that are kept for the next question."""
LONGEST_NS: Final = 86_400 * 10**9
"""Longest span of a passage."""
MOST_PICTURES: Final = 8
"""Pictures that can be asked for at once."""

_OPEN_BYTES: Final = 4 * 2**20  # of the book behind a passage that still grows
_REREAD_S: Final = 0.2
_BUDGET_S: Final = 0.05
_MOST_NS: Final = 2**62
_COMPILED_ROWS: Final = 60_000  # as of a large tape: the engine serves for long, and is compiled only for one

_T = TypeVar("_T")


@dataclass(frozen=True)
class Span:
    """A span of a source.

    Attributes:
        source: number of the source.
        start, end: nanoseconds since the first row of the source.
        step: height of a bin of price; 0 chooses one.
    """

    source: int
    start: int
    end: int
    step: float = 0.0

    def __post_init__(self) -> None:
        if not -_MOST_NS < self.start < self.end < _MOST_NS or self.end - self.start > LONGEST_NS:
            raise ViewError("a span is longer than 0 and at most a day")
        if not 0 <= self.step < 1e12:
            raise ViewError("the step of prices is a number from 0 on")

    def next(self, place: int) -> "Span":
        """Return the span of this length that is so many places after this one."""
        distance = place * (self.end - self.start)
        return replace(self, start=self.start + distance, end=self.end + distance)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a source.

    Attributes:
        time: nanoseconds since the first row of the source.
        seq: the row, if one was chosen and not a time.
    """

    time: int
    seq: int | None = None


@dataclass
class _Kept:
    """A passage, and its picture as it was made last."""

    opened: OpenPassage
    table: pa.Table | None = None
    table_of: tuple[int, bool] | None = None
    read_at: float = field(default_factory=time.monotonic)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, about."""
        open_bytes = 0 if self.opened.is_complete else _OPEN_BYTES
        return self.opened.passage.nbytes + open_bytes + (0 if self.table is None else self.table.nbytes)

    def advance(self) -> None:
        """Read what the tape has by now; of one that grows, not too often."""
        if not self.opened.is_complete and time.monotonic() - self.read_at >= _REREAD_S:
            self.opened.advance()
            self.read_at = time.monotonic()

    def picture(self, origin: int) -> pa.Table:
        """Return its picture."""
        found = self.opened
        state = (found.next_seq, found.is_complete)
        if self.table is None or self.table_of != state:
            self.table = found.passage.picture(origin, found.reached, is_complete=found.is_complete)
            self.table_of = state
        return self.table


class Library:
    """Answers questions about the products of tapes, from any thread.

    Args:
        tapes: the tapes.
        run: the backtest whose orders are shown; None for none.
        threshold: relative spread that is marked, fraction of the ask price.
        engine: runs the books.
        products: the products that are shown; none for all.
    """

    def __init__(
        self,
        tapes: Sequence[Tape],
        run: BacktestRun | None,
        threshold: float,
        engine: Engine | EngineName = "auto",
        products: Collection[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._run, self._threshold, self._engine = run, threshold, engine
        self._names = [
            (tape, product)
            for tape in tapes
            for product in tape.select(())
            if product in (products or (product,))
        ]
        self._rows = sum(tape.sealed_work() for tape in tapes)
        self._sources: dict[int, Source] = {}
        self._books: KeptBooks | None = None
        self._kept: OrderedDict[Span, _Kept] = OrderedDict()

    def ask(self, question: Callable[[], _T]) -> _T:
        """Return the answer of one of the methods below; one question is answered at a time."""
        with self._lock:
            return question()

    def warm_up(self) -> None:
        """Load the engine, so that the first question does not wait for it."""
        with self._lock:
            self._loaded_engine()

    def _loaded_engine(self) -> Engine:
        if isinstance(self._engine, str):
            self._engine = load_engine(engine_for(max(self._rows, _COMPILED_ROWS), self._engine))
        return self._engine

    def sources(self) -> dict[str, Any]:
        """Return the names of all sources, and the threshold."""
        several = len({tape.path for tape, _ in self._names}) > 1
        names = [
            f"{product} · {tape_name(tape.path)}" if several else product for tape, product in self._names
        ]
        return {
            "sources": names,
            "threshold": self._threshold,
            "run": None if self._run is None else str(self._run.path),
        }

    def source(self, number: int) -> Source:
        """Return a source; it is opened when it is asked for first.

        Raises:
            ViewError: if there is no such source.
        """
        if not 0 <= number < len(self._names):
            raise ViewError(f"there is no source {number}")
        if number not in self._sources:
            tape, product = self._names[number]
            own = None if self._run is None else OwnOrders(self._run, tape.path, product)
            engine = self._loaded_engine()
            self._books = self._books or KeptBooks(engine)
            self._sources[number] = Source(tape, product, own, engine, self._books)
        return self._sources[number]

    def pictures(
        self, first: Span, number: int, moment: Moment | None = None, check: Callable[[], None] = lambda: None
    ) -> bytes:
        """Return the pictures of spans one after another, a row for each: see `Passage.picture`.

        A span that the tape has not reached has none. The row with the moment also has the block of ladders
        that the moment is in, see `Passage.block`; the others have the number -1 for it.

        Args:
            first: the first span.
            number: how many there are.
            moment: what else is wanted of them.
            check: called now and then; may raise to end the reading.

        Raises:
            ViewError: if there are too many, or too many rows in one.
        """
        if not 0 < number <= MOST_PICTURES:
            raise ViewError(f"1 to {MOST_PICTURES} pictures can be asked for at once")
        origin, tables = self.source(first.source).origin, []
        for kept in self._passages([first.next(place) for place in range(number)], check):
            passage = kept.opened.passage
            is_in = moment is not None and passage.start <= origin + moment.time < passage.end
            block = passage.block_at(origin + moment.time, moment.seq) if moment and is_in else -1
            tables.append(kept.picture(origin))
            ladders = {"block": pa.array([block]), **passage.block(block, origin)}
            for name, values in ladders.items():
                tables[-1] = tables[-1].append_column(name, values)
        return to_ipc(pa.concat_tables(tables))

    def _passages(self, spans: Sequence[Span], check: Callable[[], None]) -> list[_Kept]:
        """Return the passages of spans one after another, read as far as the tape goes by now."""
        source, found = self.source(spans[0].source), list[_Kept]()
        while len(found) < len(spans):
            kept = self._kept.pop(spans[len(found)], None)
            if kept is None:
                missing = list(takewhile(lambda span: span not in self._kept, spans[len(found) :]))
                bounds = [
                    source.origin + time for time in (missing[0].start, *(span.end for span in missing))
                ]
                read = source.reader.passages(bounds, spans[0].step, check)
                self._kept |= {span: _Kept(opened) for span, opened in zip(missing, read, strict=False)}
                continue
            kept.advance()
            self._kept[spans[len(found)]] = kept
            found.append(kept)
            if not kept.opened.is_complete:
                break
        while len(self._kept) > len(found) and sum(each.nbytes for each in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return found

    def block(self, span: Span, number: int) -> bytes:
        """Return a block of ladders of a span, see `Passage.block`.

        Raises:
            ViewError: if there is no such block.
        """
        (kept,) = self._passages([span], lambda: None)
        passage = kept.opened.passage
        if not 0 <= number < passage.blocks:
            raise ViewError(f"there is no block {number}")
        return to_ipc(one_row(**passage.block(number, self.source(span.source).origin)))

    def segments(self, number: int) -> bytes:
        """Return the segments of a source, see `TapeOverview.table`."""
        source = self.source(number)
        return to_ipc(source.segments.table(source.origin, _BUDGET_S))

    def mids(self, number: int) -> bytes:
        """Return the mid price over a source, see `MidPrices.table`."""
        source = self.source(number)
        return to_ipc(source.mids.table(source.origin, source.last()[0] + 1, _BUDGET_S))

    def own(self, span: Span, lane: int) -> bytes:
        """Return the orders and fills of a lane in a span, see `OwnOrders.table`.

        Raises:
            ViewError: if there is no such lane.
        """
        source = self.source(span.source)
        found = None if source.own is None else source.own.lane(lane)
        if source.own is None or found is None:
            raise ViewError(f"there is no lane {lane}")
        origin = source.origin
        return to_ipc(source.own.table(found, origin + span.start, origin + span.end, origin))

    def moment(self, number: int, seq: int) -> dict[str, Any]:
        """Return the time of a row.

        Raises:
            ViewError: if the tape has no such row.
        """
        source = self.source(number)
        return {"seq": seq, "time": source.reader.time_of(seq) - source.origin}
