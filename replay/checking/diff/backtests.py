"""The differences between two RUNs of backtests, lane by lane.

Rows of a lane are compared by their number: orders and fills by their own, samples and rows of the log by
their order. So what runs beside a lane, and how rows were cut into files, does not matter.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from replay.checking.diff.row_differences import StreamDiff
from replay.run_dir.backtests import STREAMS, BacktestRun, LaneName, Stream
from replay.simulation.tables import (
    EQUITY_SCHEMA,
    LOG_SCHEMA,
    ORDERS_SCHEMA,
    RESTING_SCHEMA,
    fills_schema,
)

_NUMBER: Final = {"orders": "number", "fills": "fill"}
_RENAMED: Final = {"seq": "row"}
"""`seq` is the number of a row in its lane."""

COLUMNS: Final = frozenset(
    _RENAMED.get(name, name)
    for schema in (ORDERS_SCHEMA, fills_schema(()), RESTING_SCHEMA, EQUITY_SCHEMA, LOG_SCHEMA)
    for name in schema.names
) - {"setting", "queue"}
"""Columns that can be ignored, mark-outs left out."""


def lane_streams(
    a: BacktestRun, b: BacktestRun, product: str, ignored: frozenset[str]
) -> Iterator[StreamDiff]:
    """Yield the streams of all lanes that A or B has; the name of each is that of stream and lane.

    How orders rested is left out if one of them does not have it, see `BacktestRun.lacks_resting`.
    Holds one stream of one product of both in memory.
    """
    lanes = sorted({*a.lanes.get(product, ()), *b.lanes.get(product, ())})
    for stream in STREAMS:
        if stream == "resting" and any(run.lacks_resting(product) for run in (a, b)):
            continue
        tables = [run.table(stream, product) for run in (a, b)]
        for lane in lanes:
            where = f" on {lane.tape}" if lane.tape else ""
            found = StreamDiff(product, f"{stream} of {lane.setting} {lane.queue}{where}", ignored)
            yield found.compare(*(_lane(table, stream, lane) for table in tables))


def _lane(table: pa.Table | None, stream: Stream, lane: LaneName) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a lane, with their number in the lane as `seq`; that of the tape becomes `row`."""
    if table is None:
        return
    rows = table.filter((pc.field("setting") == lane.setting) & (pc.field("queue") == lane.queue))
    if lane.tape:
        rows = rows.filter(pc.field("tape") == lane.tape).drop_columns("tape")
    if stream in _NUMBER:
        rows = rows.sort_by(_NUMBER[stream])
        number = rows.column(_NUMBER[stream])
    else:
        number = pa.array(range(rows.num_rows), pa.int64())
    names = [_RENAMED.get(name, name) for name in rows.column_names]
    yield from rows.rename_columns(names).add_column(0, "seq", number).combine_chunks().to_batches()
