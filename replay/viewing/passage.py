"""A passage: the rows of one span of a product's tape, as columns for a page to draw.

All times are nanoseconds since 1970 here, and since `origin` as floats in what is sent.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.book import Levels
from orderbook.connection_marks import read_disconnected
from orderbook.decimals import price_to_float, size_to_float
from orderbook.display import printable
from orderbook.engine import Step
from orderbook.events import Level
from orderbook.schema import FLOW_TRADE_SCHEMA
from orderbook.trades import TradeReader
from replay.viewing.grid import REACH, DepthGrid, Floats, Ints, extremes_by_column
from replay.viewing.wire import listed, one_row

COLUMNS: Final = 320
"""Columns of time in the picture of a passage."""
LADDER_LEVELS: Final = 20
"""Levels of each side that are kept for every moment."""
BLOCK_ROWS: Final = 1024
"""Moments in a block of ladders."""
MOST_TRADES: Final = 4000
"""Trades in a picture; if there are more, these are the largest."""


@dataclass(slots=True)
class _Moments:
    """What is kept of each moment: of a summary, or of a row after which no book is known.

    Each is a list of arrays that belong together; sides have shape (moments, LADDER_LEVELS, 2), and `known`
    has (moments, 2): the lowest and the highest price between which every level is drawn.
    """

    seq: list[Ints] = field(default_factory=lambda: [np.empty(0, np.int64)])
    time: list[Ints] = field(default_factory=lambda: [np.empty(0, np.int64)])
    spread: list[Floats] = field(default_factory=lambda: [np.empty(0)])
    known: list[Floats] = field(default_factory=lambda: [np.empty((0, 2))])
    bids: list[Floats] = field(default_factory=lambda: [np.empty((0, LADDER_LEVELS, 2))])
    asks: list[Floats] = field(default_factory=lambda: [np.empty((0, LADDER_LEVELS, 2))])


class Passage:
    """The rows with `start <= recv_time < end`, added batch by batch.

    Args:
        start, end: the span.
        trades: reads the trades of the rows.
        levels: levels of each side that are read at most.
        step: height of a bin of price; 0 chooses one.
        before: the best levels before the first row; None if no book is known.
        before_seq: seq of the row before the first one.
    """

    def __init__(
        self,
        start: int,
        end: int,
        trades: TradeReader,
        levels: int,
        *,
        step: float = 0.0,
        before: Levels | None = None,
        before_seq: int = -1,
    ) -> None:
        self.start, self.end = start, end
        self._trades, self._levels = trades, levels
        self._grid = DepthGrid(COLUMNS, step)
        self._found: list[pa.RecordBatch] = []
        self._unread = 0
        self._breaks: list[tuple[int, int, str]] = []
        self._moments = _Moments()
        if before is not None:
            bids, asks = (_levels(side)[None] for side in before)
            spread = (asks[:, 0, 0] - bids[:, 0, 0]) / asks[:, 0, 0]
            self._keep(np.array([before_seq]), np.array([start]), spread, bids, asks)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, about."""
        return self._grid.nbytes + sum(each.nbytes for side in self._sides for each in side)

    @property
    def blocks(self) -> int:
        """Number of blocks of ladders."""
        return -(-sum(map(len, self._moments.seq)) // BLOCK_ROWS)

    @property
    def step(self) -> float:
        """Height of a bin of price; 0 while no book is known and none was chosen."""
        return self._grid.step

    @property
    def _sides(self) -> tuple[list[Floats], list[Floats]]:
        return self._moments.bids, self._moments.asks

    def add(self, rows: pa.RecordBatch, step: Step) -> None:
        """Add the next rows: either frames alone, or one row that begins or ends a connection.

        O(bytes + summaries x levels).
        """
        told = self._trades.of_rows(rows)
        self._found.append(told.trades)
        self._unread += told.malformed
        if step.span.is_interrupted:
            self._interrupt(rows)
        elif step.depth is not None and step.depth.num_rows:
            time = step.summaries.column("recv_time").view(pa.int64()).to_numpy()
            spread = step.summaries.column("relative_spread").to_numpy(zero_copy_only=False)
            bids, asks = _by_level(step.depth)
            self._keep(step.summaries.column("seq").to_numpy(), time, spread, bids, asks)

    def _keep(self, seq: Ints, time: Ints, spread: Floats, bids: Floats, asks: Floats) -> None:
        self._grid.add(self._column(time), bids, asks)
        reach = REACH * self._grid.step
        low = np.fmax(self._deepest(bids, whole=0.0), bids[:, 0, 0] - reach)
        high = np.fmin(self._deepest(asks, whole=np.inf), asks[:, 0, 0] + reach)
        known = np.stack([low, high], axis=1)
        self._hold(seq, time, spread, known, bids[:, :LADDER_LEVELS].copy(), asks[:, :LADDER_LEVELS].copy())

    def _deepest(self, side: Floats, whole: float) -> Floats:
        """Return the price of the last level that was read at each moment; `whole` if there are no more."""
        if side.shape[1] < self._levels:
            return np.full(len(side), whole)
        return np.where(np.isnan(side[:, -1, 0]), whole, side[:, -1, 0])

    def _hold(self, seq: Ints, time: Ints, spread: Floats, known: Floats, bids: Floats, asks: Floats) -> None:
        kept = self._moments
        kept.known.append(known)
        kept.seq.append(seq)
        kept.time.append(time)
        kept.spread.append(spread)
        for sides, side in zip(self._sides, (bids, asks), strict=True):
            missing = LADDER_LEVELS - side.shape[1]
            sides.append(np.pad(side, ((0, 0), (0, missing), (0, 0)), constant_values=np.nan))

    def _interrupt(self, rows: pa.RecordBatch) -> None:
        seq, time, _, kind, payload = (column[0] for column in rows.columns)
        self._grid.end(int(self._column(np.array([time.value]))[0]))
        nothing = np.full((1, LADDER_LEVELS, 2), np.nan)
        none = np.array([np.nan])
        seqs, times = np.array([seq.as_py()]), np.array([time.value])
        self._hold(seqs, times, none, np.full((1, 2), np.nan), nothing, nothing)
        reason = "" if kind.as_py() == "connected" else read_disconnected(payload.as_py()).reason
        self._breaks.append((time.value, seq.as_py(), f"{kind.as_py()} {printable(reason, 80)}".strip()))

    def _column(self, time: Ints) -> Ints:
        return (time - self.start) * COLUMNS // (self.end - self.start)

    def picture(self, origin: int, until: int, *, is_complete: bool) -> pa.Table:
        """Return the picture as one row: numbers, and lists by column, trade and interruption.

        Args:
            origin: the time that is 0 in it.
            until: the time that the span has reached.
            is_complete: whether no row can be added any more.
        """
        reached = min(COLUMNS, int(self._column(np.array([until]))[0]) + 1)
        first_bin, cells = self._grid.cells(reached)
        kept = self._moments
        seqs, times, spread = _joined(kept.seq), _joined(kept.time), _joined(kept.spread)
        bids, asks = (_joined(side)[:, 0, 0] for side in self._sides)
        known = _joined(kept.known)
        columns = self._column(times)
        lines = {
            f"{name}_{end}": listed(values)
            for name, series in (
                *(("bid", bids), ("ask", asks), ("spread", spread)),
                *(("known_bid", known[:, 0]), ("known_ask", known[:, 1])),
            )
            for end, values in zip(
                ("low", "high"), extremes_by_column(columns, series, np.nan, COLUMNS, reached), strict=True
            )
        }
        return one_row(
            start=float(self.start - origin),
            end=float(self.end - origin),
            until=float(min(until, self.end) - origin),
            is_complete=is_complete,
            columns=COLUMNS,
            step=self._grid.step,
            first_bin=first_bin,
            bins=cells.shape[1],
            cells=listed(cells.ravel()),
            blocks_seq=listed(seqs[::BLOCK_ROWS].astype(np.float64)),
            blocks_time=listed((times[::BLOCK_ROWS] - origin).astype(np.float64)),
            **lines,
            **self._trade_lists(origin),
            break_time=listed(np.array([float(time - origin) for time, _, _ in self._breaks])),
            break_text=listed(pa.array([text for *_, text in self._breaks], pa.string())),
        )

    def _trade_lists(self, origin: int) -> dict[str, pa.Array]:
        trades = pa.Table.from_batches(self._found, FLOW_TRADE_SCHEMA)
        trades = trades.filter(pc.invert(trades.column("is_history")))
        size = trades.column("size").to_numpy()
        kept = np.arange(len(size))
        if len(size) > MOST_TRADES:
            kept = np.sort(np.argpartition(-size, MOST_TRADES)[:MOST_TRADES])
        time = trades.column("recv_time").to_numpy().view(np.int64)
        is_buy = trades.column("maker_side").to_numpy() == "ask"
        values = {
            "time": time - origin,
            "seq": trades.column("seq").to_numpy(),
            "price": trades.column("price").to_numpy(),
            "size": size,
            "is_buy": is_buy,
        }
        found = {f"trade_{name}": listed(each[kept].astype(np.float64)) for name, each in values.items()}
        return {"trades": len(size), "trades_unread": self._unread, **found}

    def block_at(self, time: int, seq: int | None = None) -> int:
        """Return the number of the block with a row, or with the last moment up to a time; -1 without any."""
        if not self.blocks:
            return -1
        values, wanted = (self._moments.time, time) if seq is None else (self._moments.seq, seq)
        return max(0, int(np.searchsorted(_joined(values)[::BLOCK_ROWS], wanted, "right")) - 1)

    def block(self, number: int, origin: int) -> dict[str, pa.Array]:
        """Return a block of moments with their ladders, as lists: of each side `LADDER_LEVELS` a moment.

        The first moment is the book before the first row, at the beginning of the span.

        Args:
            number: the block; -1 for none, whose lists are empty.
            origin: the time that is 0 in it.
        """
        part = slice(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS) if number >= 0 else slice(0)
        seqs, times = _joined(self._moments.seq)[part], _joined(self._moments.time)[part] - origin
        found = {"seq": listed(seqs.astype(np.float64)), "time": listed(times.astype(np.float64))}
        for side, values in zip(("bid", "ask"), self._sides, strict=True):
            levels = _joined(values)[part]
            for place, what in enumerate(("price", "size")):
                found[f"{side}_{what}"] = listed(levels[:, :, place].ravel())
        return {f"block_{name}": values for name, values in found.items()}


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return arrays as one, which replaces them in their list. O(values since the last time) if it is one."""
    if len(parts) > 1:
        parts[:] = [np.concatenate(parts)]
    return parts[0]


def _levels(side: list[Level]) -> Floats:
    """Return the levels of a side, shape (levels, 2), at least one: price and size, NaN if there is none."""
    values = [(price_to_float(price), size_to_float(size)) for price, size in side]
    return np.array(values or [(np.nan, np.nan)])


def _by_level(depth: pa.RecordBatch) -> tuple[Floats, Floats]:
    """Return bids and asks of rows of `depth_schema`, each of shape (rows, levels, 2)."""
    values = np.stack([column.to_numpy(zero_copy_only=False) for column in depth.columns[2:]], axis=1)
    sides = values.reshape(depth.num_rows, -1, 2, 2)
    return sides[:, :, 0], sides[:, :, 1]
