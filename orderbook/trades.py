"""The trades on a tape: read from the frames beside the book, checked for missing ones, as columns.

A trade is *in the book* if the book shows its effect: its time is at or before the largest book time of its
connection so far. It is *late* if that is so when it arrives.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orderbook.connection_marks import read_connected
from orderbook.continuity import SeenIds
from orderbook.decimals import PRICE_UNITS, price_to_float, size_to_float
from orderbook.digest import RowDigest
from orderbook.display import plural
from orderbook.events import MalformedError, ReadRow, Trade, TradeFrame
from orderbook.execution.market_rows import NO_TIME, MarketRows
from orderbook.schema import FLOW_TRADE_SCHEMA, TIME, TRADE_SCHEMA, empty_batch, to_arrays
from orderbook.venues.base import Venue

_NO_TRADES: Final = empty_batch(FLOW_TRADE_SCHEMA)
_SIDES: Final = pa.array(["bid", "ask"])
_EXACT: Final = 2**53
"""Integers up to here are exact floats, so a quotient of two of them rounds once and is the nearest float."""


@dataclass(frozen=True, slots=True)
class TradeStep:
    """The trades of one batch of rows.

    Attributes:
        trades: rows of `FLOW_TRADE_SCHEMA`, by seq and then trade_id.
        gaps: number of jumps of trade_id, or of the last trade_id that a heartbeat names: trades are missing.
        late: number of trades, history left out, that were in the book when they arrived; None if they were
            read without a book.
        malformed: number of trade frames that break the format of the venue.
        repeated: number of frames with a trade_id that the connection had shown before, history left out.
            `trades` does not have such a trade again.
    """

    trades: pa.RecordBatch
    gaps: int
    late: int | None
    malformed: int
    repeated: int


def subscribes_to_trades(venue: Venue, messages: Iterable[str]) -> bool:
    """Tell whether one of a connection's subscribe messages names the channel of the trades."""
    return any(f'"{venue.trade_channel}"' in message for message in messages)


class TradeWatch:
    """Judges the trades of one product, frame by frame: whether some are missing, and which come late.

    Args:
        product: the product.
        venue: the venue whose frames they are.

    Attributes:
        has_trades: whether this connection carries trades: they were subscribed to, or one was seen.
        had_trades: whether a connection so far carried trades.
        last_id: the last trade_id of this connection; None before the first.
        seen: the trade_ids of this connection, history left out.
        book_time: the largest book time of this connection so far; `NO_TIME` before the first.
        gaps, late, malformed, repeated: see `TradeStep`.
    """

    def __init__(self, product: str, venue: Venue) -> None:
        self.has_trades = self.had_trades = False
        self.gaps = self.late = self.malformed = self.repeated = 0
        self._product = product
        self._venue = venue
        self._words = (*venue.trade_words, "\\")  # an escape can hide a word
        self.last_id: int | None = None
        self.seen = SeenIds()
        self.book_time = NO_TIME

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """`gaps`, `late`, `malformed` and `repeated`."""
        return self.gaps, self.late, self.malformed, self.repeated

    def interruption(self, kind: str, payload: str) -> None:
        """Note that a connection began or ended."""
        messages = read_connected(payload).subscribe if kind == "connected" else []
        self.note_connection(subscribes_to_trades(self._venue, messages))
        self.last_id = None
        self.seen = SeenIds()
        self.book_time = NO_TIME

    def note_connection(self, has_trades: bool) -> None:
        """Note whether the connection carries trades."""
        self.has_trades = has_trades
        self.had_trades = self.had_trades or has_trades

    def book(self, payload: str | ReadRow, frame_time: int | None) -> int | None:
        """Note and return the book time of a frame that changed the book; `frame_time` is the frame's own."""
        read = self._venue.book_time
        if isinstance(payload, ReadRow):
            book_time = payload.book_time
        else:
            book_time = frame_time if read is None else read(payload, self._product)
        if book_time is not None:
            self.book_time = max(self.book_time, book_time)
        return book_time

    def trades(self, payload: str | ReadRow) -> list[Trade]:
        """Return the trades of a frame, without those that the connection has shown before. O(length)."""
        frame = self.read(payload)
        return [] if frame is None else frame.trades

    def _read_text(self, payload: str) -> TradeFrame | None:
        if not any(word in payload for word in self._words):
            return None
        try:
            return self._venue.read_trades(payload, self._product)
        except MalformedError:
            self.malformed += 1
            return None

    def read(self, payload: str | ReadRow) -> TradeFrame | None:
        """Return what a frame says about trades of the product, see `trades`; None if nothing. O(length)."""
        frame = payload.trades if isinstance(payload, ReadRow) else self._read_text(payload)
        if frame is None:
            return None
        new = [trade for trade in frame.trades if trade.is_history or self.seen.add(trade.trade_id)]
        self.repeated += len(new) < len(frame.trades)
        frame = frame._replace(trades=new)
        self.note_connection(self.has_trades or bool(frame.trades))
        for trade in frame.trades:
            self._note_id(trade.trade_id)
            if not trade.is_history and trade.exchange_time is not None:
                self.late += trade.exchange_time <= self.book_time
        if frame.last_trade_id is not None and self.has_trades:
            self._note_id(frame.last_trade_id)
        return frame

    def may_matter(self, rows: pa.RecordBatch) -> pa.Array:
        """Return which rows are no frames, or frames that can say something about trades. O(bytes)."""
        import pyarrow.compute as pc  # noqa: PLC0415  takes 40 ms, and most commands read no trades

        payload = rows.column("payload")
        found = (pc.match_substring(payload, word) for word in self._words)
        return reduce(pc.or_, found, pc.not_equal(rows.column("kind"), "frame"))

    def _note_id(self, trade_id: int) -> None:
        if self.last_id is None:
            self.last_id = trade_id
        elif trade_id > self.last_id:
            self.gaps += trade_id > self.last_id + 1
            self.last_id = trade_id


class TradeReader:
    """The trades of one product, batch by batch.

    Attributes:
        watch: judges the trades; `Engine.step` needs it to read them with the book.
    """

    def __init__(self, product: str, venue: Venue) -> None:
        self.watch = TradeWatch(product, venue)
        self._product = product
        self._venue = venue
        self._counted = self.watch.counts

    def of_step(self, rows: pa.RecordBatch, market: MarketRows) -> TradeStep:
        """Return the trades of a batch that was read with the book. O(trades)."""
        if not len(market.trades):
            return self._step(_NO_TRADES)
        places = np.repeat(np.arange(rows.num_rows), np.diff(market.first_trade))
        seq, recv_time, connection = (rows.column(number).take(pa.array(places)) for number in range(3))
        number, time, side, price, size, is_history = market.trades.T
        prices, sizes = price / PRICE_UNITS, size / PRICE_UNITS
        is_long = (np.maximum(price, size) > _EXACT) | (market.sizes_cut[places] > 0)
        for row in np.unique(places[is_long]):
            for place, trade in enumerate(self.exact(rows, market, int(row)), market.first_trade[row]):
                prices[place], sizes[place] = price_to_float(trade.price), size_to_float(trade.size)
        columns = [
            *(seq, recv_time, number, pa.array(time, mask=time == NO_TIME).view(TIME)),
            *(_SIDES.take(pa.array(side)), prices, sizes, is_history.astype(bool), connection),
        ]
        arrays = [each if isinstance(each, pa.Array) else pa.array(each) for each in columns]
        return self._step(pa.RecordBatch.from_arrays(arrays, schema=FLOW_TRADE_SCHEMA))

    def exact(self, rows: pa.RecordBatch, market: MarketRows, row: int) -> list[Trade]:
        """Return the trades of a row of such a batch as the feed tells them, no size cut. O(length)."""
        payload = rows.column("payload")[row].as_py()
        text = payload.decode() if isinstance(payload, bytes) else payload  # such a row is never packed
        frame = self._venue.read_trades(text, self._product)
        told = iter(frame.trades if frame else ())  # those of the row in order, among repeated ones
        kept = market.trades[market.first_trade[row] : market.first_trade[row + 1]]
        return [
            next(each for each in told if (each.trade_id, each.is_history) == (number, is_history))
            for number, *_, is_history in kept.tolist()
        ]

    def of_rows(self, rows: pa.RecordBatch) -> TradeStep:
        """Return the trades of a batch that is read without a book.

        O(bytes) to find their frames, then O(length) for each of them.
        """
        found: list[tuple[Any, ...]] = []
        for seq, recv_time, connection, kind, payload in _values(rows.filter(self.watch.may_matter(rows))):
            if kind == "frame":
                found += [
                    (seq, recv_time, *_columns(each), connection) for each in self.watch.trades(payload)
                ]
            else:
                self.watch.interruption(kind, payload)
        return replace(self._step(_batch(found)), late=None)

    def _step(self, trades: pa.RecordBatch) -> TradeStep:
        """Return the step of some trades, with the counts since the step before."""
        before, self._counted = self._counted, self.watch.counts
        return TradeStep(trades, *(now - then for now, then in zip(self._counted, before, strict=True)))


def _values(rows: pa.RecordBatch) -> Iterator[tuple[int, int, int, str, str]]:
    """Yield rows of `TAPE_SCHEMA`, times in nanoseconds."""
    seq, recv_time, connection, kind, payload = rows.columns
    columns = (seq, recv_time.view(pa.int64()), connection, kind, payload)
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _batch(found: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Return trades as a batch of `FLOW_TRADE_SCHEMA`."""
    if not found:
        return _NO_TRADES
    return pa.RecordBatch.from_arrays(to_arrays(found, FLOW_TRADE_SCHEMA.types), schema=FLOW_TRADE_SCHEMA)


def _columns(trade: Trade) -> tuple[Any, ...]:
    number, time, side, price, size, is_history = trade
    return number, time, side, price_to_float(price), size_to_float(size), is_history


@dataclass(slots=True)
class TradeTally:
    """Counts over the trades of one product, added up in seq order.

    Attributes:
        trades: number of trades, history included.
        gaps, late, malformed, repeated: the sums of those of `TradeStep`; `late` is None if no step tells it.
        digest: of all trades.
    """

    trades: int = 0
    gaps: int = 0
    late: int | None = None
    malformed: int = 0
    repeated: int = 0
    digest: RowDigest = field(default_factory=lambda: RowDigest(TRADE_SCHEMA))

    def add(self, step: TradeStep) -> None:
        """Add the trades of a batch. O(trades)."""
        self.trades += step.trades.num_rows
        self.gaps += step.gaps
        if step.late is not None:
            self.late = (self.late or 0) + step.late
        self.malformed += step.malformed
        self.repeated += step.repeated
        self.digest.update(step.trades.select(TRADE_SCHEMA.names))

    def merge(self, later: "TradeTally") -> None:
        """Add the trades that come next, of a tally that was made by `piece`."""
        self.trades += later.trades
        self.gaps += later.gaps
        if later.late is not None:
            self.late = (self.late or 0) + later.late
        self.malformed += later.malformed
        self.repeated += later.repeated
        self.digest.merge(later.digest)

    @classmethod
    def piece(cls) -> "TradeTally":
        """Return the tally of a piece of a tape, which others precede."""
        return cls(digest=RowDigest(TRADE_SCHEMA, is_piece=True))

    def summary(self) -> str:
        """Return the counts in one line, for people.

        >>> TradeTally(47, late=31).summary(), TradeTally().summary()
        ('47 trades, none missing; the book showed 31 of them first', 'no trades')
        """
        text = plural(self.trades, "trade") if self.trades else "no trades"
        if self.gaps:
            text += f", some missing at {plural(self.gaps, 'place')}"
        elif self.trades:
            text += ", none missing"
        if self.late:
            text += f"; the book showed {self.late:,} of them first"
        if self.repeated:
            text += f"; {plural(self.repeated, 'frame')} with a trade_id that had come before, counted once"
        return text + (f"; {self.malformed:,} could not be read" if self.malformed else "")
