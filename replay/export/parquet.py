"""Tables as Parquet: OUT/<table>/product=P/date=YYYY-MM-DD/<first seq>.parquet, a file a UTC day."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.depth import depth_schema
from orderbook.execution.market_rows import BREAK, CLEAR, NO_TIME, SNAPSHOT
from orderbook.schema import CONNECTION, FLOW_SUMMARY_SCHEMA, FLOW_TRADE_SCHEMA, TAPE_SCHEMA, TIME, columns
from replay.export.changes import Changes, changes_of, changes_of_book
from replay.export.passing import Part, day_text
from replay.export.results import ExportedFile
from replay.export.settings import ExportSettings, TableName
from replay.export.times import timed_schema, with_times
from replay.run_dir.writer import StreamFile

LEVEL_SCHEMA: Final = pa.schema(
    [
        *columns(False, seq=pa.int64(), recv_time=TIME),
        pa.field("exchange_time", TIME),
        pa.field("change", pa.string(), nullable=False),
        *columns(True, side=pa.string(), price=pa.float64(), size=pa.float64()),
        CONNECTION,
    ]
)
"""A change of the book, in the order in which it applies."""

_UPDATE, _SNAPSHOT, _CLEAR = range(3)
_CHANGES: Final = pa.array(["update", "snapshot", "clear"])
_SIDES: Final = pa.array(["bid", "ask", None])
_GROUP_ROWS: Final = 131_072
"""Rows of a row group: what DuckDB reads at once; a writer holds as many of each table."""


class ParquetWriter:
    """Writes the tables of one product.

    Args:
        directory: where they are written.
        product: id of the product.
        settings: which tables, and how.
        metadata: what the schema of each file tells of the tape.
    """

    def __init__(
        self, directory: Path, product: str, settings: ExportSettings, metadata: Mapping[str, str]
    ) -> None:
        self._directory = directory
        self._product = product
        self._settings = settings
        self._metadata = metadata
        self._open: dict[TableName, tuple[int, StreamFile]] = {}
        self._written: list[ExportedFile] = []

    def add(self, part: Part) -> None:
        """Add the next rows to all tables. O(rows of the tables)."""
        for table in self._settings.tables:
            for batch in _rows_of(table, part):
                if batch.num_rows:
                    self._write(table, part.day, batch)

    def close(self) -> list[ExportedFile]:
        """Finish all files, and return them."""
        for table in list(self._open):
            self._finish(table)
        return sorted(self._written, key=lambda file: file.path)

    def _write(self, table: TableName, day: int, batch: pa.RecordBatch) -> None:
        if table in self._open and self._open[table][0] != day:
            self._finish(table)
        if table not in self._open:
            folder = self._directory / table / f"product={self._product}" / f"date={day_text(day)}"
            folder.mkdir(parents=True, exist_ok=True)  # another piece of the day may have made it
            schema = timed_schema(batch.schema, self._settings.time).with_metadata(self._metadata)
            path = folder / f"{batch.column('seq')[0].as_py():020d}.parquet"
            self._open[table] = day, StreamFile(path, schema, _GROUP_ROWS)
        file = self._open[table][1]
        file.write(with_times(batch, file.schema))

    def _finish(self, table: TableName) -> None:
        _, file = self._open.pop(table)
        file.close()
        self._written.append(ExportedFile.of_path(file.path, self._directory, file.rows))


def table_schema(table: TableName, depth: int) -> pa.Schema:
    """Return the columns of a table, times in nanoseconds."""
    known = {"summaries": FLOW_SUMMARY_SCHEMA, "levels": LEVEL_SCHEMA, "trades": FLOW_TRADE_SCHEMA}
    return {**known, "rows": TAPE_SCHEMA, "depth": depth_schema(depth).append(CONNECTION)}[table]


def _rows_of(table: TableName, part: Part) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table."""
    step = part.step
    if table == "summaries":
        yield step.summaries
    elif table == "levels":
        if part.begins and part.book is not None:
            yield _levels_of_book(part)
        yield levels_of(part)
    elif table == "depth":
        assert step.depth is not None  # noqa: S101  it was requested
        yield step.depth.append_column(CONNECTION, step.summaries.column(CONNECTION.name))
    elif table == "trades":
        assert step.trades is not None  # noqa: S101  trades were read
        yield step.trades.trades
    else:
        yield part.rows


def levels_of(part: Part) -> pa.RecordBatch:
    """Return the changes of the book as a batch of `LEVEL_SCHEMA`, and a `clear` for each interruption."""
    market, changes = part.market, changes_of(part)
    what = np.where(market.kind[changes.row] == SNAPSHOT, _SNAPSHOT, _UPDATE)
    what[changes.side == CLEAR] = _CLEAR
    breaks = np.flatnonzero(market.kind == BREAK)
    if len(breaks):
        at = np.searchsorted(changes.row, breaks)
        none = np.full(len(breaks), np.nan)
        changes = Changes(
            np.insert(changes.row, at, breaks),
            np.insert(changes.side, at, CLEAR),
            np.insert(changes.units, at, 0),
            np.insert(changes.price, at, none),
            np.insert(changes.size, at, none),
        )
        what = np.insert(what, at, _CLEAR)
    return _batch(
        changes,
        what,
        market.seq[changes.row],
        market.time[changes.row],
        market.book_time[changes.row],
        market.connection[changes.row],
    )


def _levels_of_book(part: Part) -> pa.RecordBatch:
    """Return the book before the first row as a snapshot, with seq and time of that row."""
    assert part.book is not None  # noqa: S101  the caller asked
    changes = changes_of_book(part.book)
    empty = np.array([0]), np.array([CLEAR]), np.array([0]), np.array([np.nan]), np.array([np.nan])
    found = (changes.row, changes.side, changes.units, changes.price, changes.size)
    whole = Changes(*(np.concatenate(each) for each in zip(empty, found, strict=True)))
    what = np.where(whole.side == CLEAR, _CLEAR, _SNAPSHOT)
    market, number = part.market, len(what)
    return _batch(
        whole,
        what,
        np.repeat(market.seq[:1], number),
        np.repeat(market.time[:1], number),
        np.full(number, NO_TIME),
        np.repeat(market.connection[:1], number),
    )


def _batch(
    changes: Changes,
    what: np.ndarray,
    seq: np.ndarray,
    time: np.ndarray,
    exchange_time: np.ndarray,
    connection: np.ndarray,
) -> pa.RecordBatch:
    is_clear = changes.side == CLEAR
    arrays = [
        pa.array(seq),
        pa.array(time).view(TIME),
        pa.array(exchange_time, mask=exchange_time == NO_TIME).view(TIME),
        _CHANGES.take(pa.array(what)),
        _SIDES.take(pa.array(changes.side)),
        *(pa.array(each, mask=is_clear) for each in (changes.price, changes.size)),
        pa.array(connection),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=LEVEL_SCHEMA)
