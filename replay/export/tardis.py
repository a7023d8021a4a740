"""The CSV files of Tardis: coinbase_<type>_YYYY-MM-DD_PRODUCT.csv.gz, a file a type and UTC day.

A file of a book begins with the book as a snapshot, so that each can be read alone.
Times are microseconds since 1970. A reader empties its book at a row of a snapshot that follows one of an
update. So that it does for every snapshot, a removal stands between two of them; an interruption, or a
snapshot without levels, is a snapshot with one level of size 0.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.execution.market_rows import BOOK as BOOK_ROW
from orderbook.execution.market_rows import NO_TIME, SNAPSHOT
from replay.export.csv_gz import CsvGzWriter
from replay.export.events import EMPTIED, IN_SNAPSHOT, events_of, events_of_book
from replay.export.ordering import Ordered, Ordering
from replay.export.passing import DAY_NS, Part, day_text
from replay.export.results import ExportedFile

EXCHANGE: Final = "coinbase"
_NAMES: Final = "exchange,symbol,timestamp,local_timestamp"
_TYPES: Final = (pa.string(), pa.string(), pa.int64(), pa.int64())
_HEAD: Final = tuple(zip(_NAMES.split(","), _TYPES, strict=True))
_SIDES: Final = pa.array(["bid", "ask"])
_TAKERS: Final = pa.array(["sell", "buy"])  # by the maker's side, bid and ask

LEVELS: Final = pa.schema(
    [
        *_HEAD,
        *(("is_snapshot", pa.bool_()), ("side", pa.string()), ("price", pa.float64())),
        ("amount", pa.float64()),
    ]
)
TRADES: Final = pa.schema(
    [*_HEAD, ("id", pa.string()), ("side", pa.string()), ("price", pa.float64()), ("amount", pa.float64())]
)
QUOTES: Final = pa.schema(
    [*_HEAD, *((name, pa.float64()) for name in ("ask_amount", "ask_price", "bid_price", "bid_amount"))]
)


def book_schema(depth: int) -> pa.Schema:
    """Return the columns of `book_snapshot_N`."""
    return pa.schema(
        [
            *_HEAD,
            *(
                (f"{side}[{level}].{what}", pa.float64())
                for level in range(depth)
                for side in ("asks", "bids")
                for what in ("price", "amount")
            ),
        ]
    )


class TardisWriter:
    """Writes the files of one product.

    Args:
        directory: where they are written.
        product: id of the product.
        depth: levels of `book_snapshot_N`.
    """

    def __init__(self, directory: Path, product: str, depth: int) -> None:
        self._directory = directory
        self._product = product
        self._depth = depth
        self._ordering = Ordering(None)
        self._open: dict[str, tuple[int, CsvGzWriter]] = {}
        self._written: list[ExportedFile] = []
        self._is_snapshot: bool | None = None  # the last row of a level; None if readers have no book
        self._price = 0.0  # of that row
        self._last: dict[str, npt.NDArray[np.float64]] = {}

    def add(self, part: Part) -> None:
        """Add the next rows. O(events + summaries x depth)."""
        if part.book is not None:  # the first rows, or the first of a day: each file begins with its book
            self._levels(self._ordering.add(events_of_book(part.book, part.first_time)))
        self._levels(self._ordering.add(events_of(part, with_trades=False)))
        self._trades(part)
        self._books(part)

    def close(self) -> list[ExportedFile]:
        """Finish all files, and return them."""
        self._levels(self._ordering.finish())
        for name in list(self._open):
            self._finish(name)
        return sorted(self._written, key=lambda file: file.path)

    def _levels(self, found: Iterator[Ordered]) -> None:
        for ordered in found:
            days = ordered.day_time // DAY_NS
            for day in np.unique(days).tolist():
                low, high = np.searchsorted(days, (day, day + 1)).tolist()
                self._write("incremental_book_L2", day, LEVELS, self._level_columns(ordered, low, high))

    def _level_columns(self, ordered: Ordered, low: int, high: int) -> list[Any]:
        """Return some groups as columns of `LEVELS`."""
        events = ordered.events
        first, stop = events.first[low], events.first[high]
        what, side = events.what[first:stop], events.side[first:stop]
        group = np.repeat(np.arange(low, high), np.diff(events.first[low : high + 1]))
        is_snapshot, price, size = what == IN_SNAPSHOT, events.price[first:stop], events.size[first:stop]
        is_level = what != EMPTIED
        marks = self._marks(what, is_snapshot, price)
        columns = [each[is_level] for each in (group, is_snapshot, side, price, size)]
        if marks:
            at, kinds, prices = (np.array(each) for each in zip(*marks, strict=True))
            places = np.searchsorted(np.flatnonzero(is_level), at)  # among the levels
            inserted = (group[at], kinds, 0, prices, 0.0)
            columns = [np.insert(each, places, more) for each, more in zip(columns, inserted, strict=True)]
        group, is_snapshot, side, price, size = columns
        return [
            ordered.exch[group] // 1000,
            ordered.day_time[group] // 1000,
            pa.array(is_snapshot),
            _SIDES.take(pa.array(side)),
            price,
            size,
        ]

    def _marks(self, what: Any, is_snapshot: Any, price: Any) -> list[tuple[int, bool, float]]:
        """Return the rows to add so that readers empty their books: place, whether of a snapshot, price."""
        marks: list[tuple[int, bool, float]] = []
        places = np.flatnonzero(what == EMPTIED).tolist()
        for place, following in pairwise([*places, len(what)]):
            before = place - 1
            if before >= 0 and what[before] != EMPTIED:
                self._is_snapshot, self._price = bool(is_snapshot[before]), float(price[before])
            has_levels = place + 1 < following and bool(is_snapshot[place + 1])
            if self._is_snapshot is None:
                continue
            if self._is_snapshot:
                marks.append((place, False, self._price))
            if not has_levels:
                marks.append((place, True, self._price))
                self._is_snapshot = None
        if len(what) and what[-1] != EMPTIED:
            self._is_snapshot, self._price = bool(is_snapshot[-1]), float(price[-1])
        return marks

    def _trades(self, part: Part) -> None:
        trades, market = part.step.trades, part.market
        assert trades is not None  # noqa: S101  trades were read
        told = np.flatnonzero(market.trades[:, 5] == 0)
        if not len(told):
            return
        rows = trades.trades.take(pa.array(told))
        local = rows.column("recv_time").view(pa.int64()).to_numpy()
        time = market.trades[told, 1]
        columns = [
            np.where(time == NO_TIME, local, time) // 1000,
            local // 1000,
            rows.column("trade_id").cast(pa.string()),
            _TAKERS.take(pa.array(market.trades[told, 2])),
            rows.column("price"),
            rows.column("size"),
        ]
        self._write("trades", part.day, TRADES, columns)

    def _books(self, part: Part) -> None:
        """Write the best levels where they change."""
        depth, market = part.step.depth, part.market
        assert depth is not None  # noqa: S101  it was requested
        if not depth.num_rows:
            return
        is_book = np.isin(market.kind, (BOOK_ROW, SNAPSHOT))
        local, time = market.time[is_book], market.book_time[is_book]
        times = np.where(time == NO_TIME, local, time) // 1000, local // 1000
        values = np.stack([column.to_numpy(zero_copy_only=False) for column in depth.columns[2:]], axis=1)
        by_level = values.reshape(len(values), -1, 2, 2)[:, :, ::-1]  # asks first
        for name, schema, wanted in (
            (f"book_snapshot_{self._depth}", book_schema(self._depth), by_level.reshape(len(values), -1)),
            ("quotes", QUOTES, values[:, [3, 2, 0, 1]]),
        ):
            kept = self._changed(name, wanted)
            found = (pa.array(each, mask=np.isnan(each)) for each in wanted[kept].T.copy())
            self._write(name, part.day, schema, [*(each[kept] for each in times), *found])

    def _changed(self, name: str, rows: npt.NDArray[np.float64]) -> Any:
        """Return which rows differ from the row before them."""
        first = self._last.get(name, np.full(rows.shape[1], np.inf))
        before = np.concatenate([first[None], rows[:-1]])
        self._last[name] = rows[-1]
        return np.flatnonzero(((rows != before) & ~(np.isnan(rows) & np.isnan(before))).any(axis=1))

    def _write(self, name: str, day: int, schema: pa.Schema, columns: list[Any]) -> None:
        rows = len(columns[0])
        if not rows:
            return
        if name in self._open and self._open[name][0] != day:
            self._finish(name)
        if name not in self._open:
            path = self._directory / f"{EXCHANGE}_{name}_{day_text(day)}_{self._product}.csv.gz"
            self._open[name] = day, CsvGzWriter(path, schema)
        head = [pa.array([each] * rows) for each in (EXCHANGE, self._product)]
        batch = pa.RecordBatch.from_arrays([*head, *(pa.array(each) for each in columns)], schema=schema)
        self._open[name][1].write(batch)

    def _finish(self, name: str) -> None:
        _, file = self._open.pop(name)
        file.close()
        self._written.append(ExportedFile.of_path(file.path, self._directory, file.rows))
