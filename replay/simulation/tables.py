"""The tables of a backtest: columns of RUN/orders, fills, resting, equity and log, and rows as batches."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.decimals import price_to_float
from orderbook.errors import first_line
from orderbook.execution.codes import QueueModel
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane
from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.orders import Order
from orderbook.execution.resting import COLUMNS as RESTED_COLUMNS
from orderbook.execution.results import FillRow, LogRow, Sample
from orderbook.schema import TIME, columns
from orderbook.strategy import StrategyError
from orderbook.times import NS
from replay.comparing.metrics import horizon_label

UNITS: Final = pa.decimal128(18, 8)
MONEY: Final = pa.decimal128(38, 16)

_LANE: Final = columns(False, setting=pa.int32(), queue=pa.string())

ORDERS_SCHEMA: Final = pa.schema(
    [
        *_LANE,
        *columns(False, number=pa.int64()),
        *columns(True, name=pa.string()),
        *columns(False, side=pa.string(), kind=pa.string(), post_only=pa.bool_()),
        *columns(True, price=UNITS),
        *columns(False, size=UNITS, filled=UNITS),
        *columns(False, filled_back=UNITS, filled_share=UNITS, filled_front=UNITS),
        *columns(True, ahead_at_rest=UNITS, sent=TIME, arrived=TIME, rested=TIME, ended=TIME),
        *columns(True, end=pa.string()),
        *columns(False, amends=pa.int32()),
    ]
)
"""An order that is over, in the order in which they end."""

RESTING_SCHEMA: Final = pa.schema(
    [
        *_LANE,
        *columns(
            False, number=pa.int64(), side=pa.string(), price=UNITS, rested=TIME, until=TIME, size=UNITS
        ),
        *columns(False, ahead_back=UNITS, ahead_share=UNITS),
        *columns(False, ahead_back_until=UNITS, ahead_share_until=UNITS),
    ]
)
"""From when until when an order rested in one place of a queue, in the order in which that ends."""

EQUITY_SCHEMA: Final = pa.schema(
    [
        *_LANE,
        *columns(False, time=TIME, connection=pa.int32(), why=pa.string()),
        *columns(True, bid_price=pa.float64(), ask_price=pa.float64()),
        *columns(False, position=UNITS, cash=MONEY, fees=MONEY, realised=MONEY),
        *columns(True, equity=MONEY, equity_exit=MONEY),
    ]
)
"""A sample of the money of a lane."""

LOG_SCHEMA: Final = pa.schema([*_LANE, *columns(False, time=TIME, seq=pa.int64(), values=pa.string())])
"""What a strategy logged: a JSON object."""


EVENTS_SCHEMA: Final = pa.schema(
    [
        *columns(False, seq=pa.int64(), time=TIME, queue=pa.string(), event=pa.string()),
        *columns(True, number=pa.int64(), side=pa.string(), price=pa.float64(), size=pa.float64()),
        *columns(True, liquidity=pa.string(), by=pa.string(), fee=pa.float64(), position=pa.float64()),
        *columns(True, values=pa.string()),
    ]
)
"""What has just happened in a lane: an event of an order, or a row of the strategy's log."""


def fills_schema(horizons: Sequence[int]) -> pa.Schema:
    """Return the columns of fills with mark-outs after these times, in nanoseconds."""
    return pa.schema(
        [
            *_LANE,
            *columns(False, fill=pa.int64(), number=pa.int64(), seq=pa.int64(), time=TIME),
            *columns(False, connection=pa.int32(), side=pa.string(), liquidity=pa.string(), by=pa.string()),
            *columns(False, price=UNITS, size=UNITS, value=MONEY, fee=MONEY),
            *columns(False, ahead_back=UNITS, ahead_share=UNITS),
            *columns(True, mid=pa.float64()),
            *columns(True, **{f"markout_{horizon_name(each)}_bps": pa.float64() for each in horizons}),
        ]
    )


def horizon_name(horizon_ns: int) -> str:
    """Return a horizon as in the columns of a RUN and the keys of its document: in seconds or parts of one.

    >>> horizon_name(5 * NS), horizon_name(250_000_000), horizon_name(60 * NS)
    ('5s', '250ms', '60s')
    """
    return horizon_label(horizon_ns, longest_ns=NS)


def orders_batch(setting: int, queue: QueueModel, orders: Iterable[Order]) -> pa.RecordBatch:
    """Return orders as a batch of `ORDERS_SCHEMA`."""
    rows = [
        (
            *(setting, queue, order.number, order.name, order.side, order.kind, order.post_only),
            None if order.kind == "market" else order.price,
            *(order.size, order.done),
            *(order.filled[model] for model in ("back", "share", "front")),
            order.ahead_at_rest,
            *(order.sent, order.arrived, order.rested, order.ended),
            *(order.end and order.end.word, order.amends),
        )
        for order in orders
    ]
    return _batch(rows, ORDERS_SCHEMA)


def fills_batch(
    setting: int, queue: QueueModel, fills: Iterable[FillRow], schema: pa.Schema
) -> pa.RecordBatch:
    """Return fills as a batch of `fills_schema`."""
    rows = [
        (
            *(setting, queue, fill.fill, fill.number, fill.how.seq, fill.time, fill.how.connection),
            *(fill.side, "maker" if fill.how.is_maker else "taker", fill.how.by),
            *(fill.price, fill.size),
            *(fill.how.value, fill.how.fee),
            *(fill.how.ahead_back, fill.how.ahead_share),
            None if fill.mid_twice is None else price_to_float(fill.mid_twice) / 2,
            *(fill.markout_bps(mid) for mid in fill.later_mids),
        )
        for fill in fills
    ]
    return _batch(rows, schema)


def resting_batch(setting: int, queue: QueueModel, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Return rows of `RestingRows` as a batch of `RESTING_SCHEMA`. O(rows), without an object for each."""
    arrays = [pa.repeat(pa.scalar(setting, pa.int32()), len(rows)), pa.repeat(queue, len(rows))]
    for name, values in zip(RESTED_COLUMNS, np.ascontiguousarray(rows.T), strict=True):
        kind = RESTING_SCHEMA.field(name).type
        if name == "side":
            arrays.append(pa.array(["bid", "ask"]).take(pa.array(values)))
        elif kind == UNITS:
            words = np.column_stack([values, values >> 63])  # 128 bits, little-endian
            arrays.append(pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(words)]))
        else:
            arrays.append(pa.array(values).view(kind))
    return pa.RecordBatch.from_arrays(arrays, schema=RESTING_SCHEMA)


def resting_array(table: pa.Table) -> npt.NDArray[np.int64]:
    """Return rows of `RESTING_SCHEMA` as those of `RestingRows`."""
    columns = []
    for name in RESTED_COLUMNS:
        column = table.column(name).combine_chunks()
        if name == "side":
            columns.append(pc.equal(column, "ask").cast(pa.int64()).to_numpy(zero_copy_only=False))
        elif column.type == UNITS:
            words = np.frombuffer(column.buffers()[1], np.int64).reshape(-1, 2)
            columns.append(words[column.offset : column.offset + len(column), 0])
        else:
            columns.append(column.cast(pa.int64()).to_numpy())
    return np.column_stack(columns)


def equity_batch(setting: int, queue: QueueModel, samples: Iterable[Sample]) -> pa.RecordBatch:
    """Return samples as a batch of `EQUITY_SCHEMA`; equity is exact to the last decimal, half a unit cut."""
    rows = [
        (
            *(setting, queue, each.time, each.connection, each.why),
            None if each.bid is None else price_to_float(each.bid),
            None if each.ask is None else price_to_float(each.ask),
            *(each.position, each.cash),
            *(each.fees, each.realised),
            None if each.equity_twice is None else each.equity_twice // 2,
            None if each.equity_exit is None else each.equity_exit,
        )
        for each in samples
    ]
    return _batch(rows, EQUITY_SCHEMA)


def log_batch(setting: int, queue: QueueModel, log: Iterable[LogRow]) -> pa.RecordBatch:
    """Return what a strategy logged as a batch of `LOG_SCHEMA`; values that JSON has not are their text.

    Raises:
        StrategyError: if a value cannot be written as text.
    """
    rows = [(setting, queue, each.time, each.seq, _json(each)) for each in log]
    return _batch(rows, LOG_SCHEMA)


def event_row(queue: QueueModel, lane: Lane, seq: int, event: Event | LogRow) -> tuple[Any, ...]:
    """Return what has just happened as a row of `EVENTS_SCHEMA`; `seq` is that of the last row of the tape.

    Raises:
        StrategyError: if a value of the log cannot be written as text.
    """
    if isinstance(event, LogRow):
        return (seq, event.time, queue, "log", *[None] * 8, _json(event))
    fill = event.fill
    how = (None, None, None) if fill is None else ("maker" if fill.is_maker else "taker", fill.by, fill.fee)
    return (
        *(seq, event.time, queue, event.code.word, event.number, event.side),
        price_to_float(event.price) if event.price else None,
        *(event.size / 10**8, *how[:2]),
        None if how[2] is None else how[2] / MONEY_UNITS,
        *(lane.account.position / 10**8, None),
    )


def events_batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Return rows of `event_row` as a batch of `EVENTS_SCHEMA`."""
    return _batch(rows, EVENTS_SCHEMA)


def _json(row: LogRow) -> str:
    try:
        return msgspec.json.encode(row.values, enc_hook=str).decode()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # values are of the strategy, and say what they like
        what = f"what a strategy logged at row {row.seq} cannot be written"
        raise StrategyError(f"{what}: {first_line(error)}") from error


def decimals(values: Sequence[int | None], kind: pa.Decimal128Type) -> pa.Array:
    """Return numbers of the last decimal as decimals: exact, and without a Decimal for each.

    >>> decimals([150_000_000, None], UNITS).to_pylist()
    [Decimal('1.50000000'), None]

    Raises:
        pyarrow.ArrowInvalid: if a value has more digits than the type.
    """
    whole = b"".join((value or 0).to_bytes(16, "little", signed=True) for value in values)
    known = pa.array([value is not None for value in values]).buffers()[1] if None in values else None
    array = pa.Array.from_buffers(kind, len(values), [known, pa.py_buffer(whole)])
    array.validate(full=True)
    return array


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as a batch; decimals are given as numbers of their last decimal."""
    arrays = [
        decimals(values, kind)
        if pa.types.is_decimal(kind)
        else pa.array(values, pa.int64()).view(TIME)
        if kind == TIME
        else pa.array(values, kind)
        for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
