"""Times in the unit that an engine reads: nanoseconds, or microseconds with the nanoseconds beside them."""

from typing import Final

import pyarrow as pa

from replay.export.settings import TimeUnit

_TIME: Final = "_time"


def timed_schema(schema: pa.Schema, unit: TimeUnit) -> pa.Schema:
    """Return the columns that `with_times` returns.

    In microseconds, a column of nanoseconds such as `recv_time` is followed at the end by an int64 `recv_ns`.
    """
    if unit == "ns":
        return schema
    fields = [
        pa.field(each.name, pa.timestamp("us", each.type.tz), each.nullable) if _is_ns(each) else each
        for each in schema
    ]
    beside = [pa.field(_beside(each.name), pa.int64(), each.nullable) for each in schema if _is_ns(each)]
    return pa.schema([*fields, *beside], schema.metadata)


def with_times(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows with the columns of `timed_schema`; what is below a microsecond is cut. O(rows)."""
    if len(schema) == batch.num_columns:
        return batch
    columns, beside = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not _is_ns(field):
            columns.append(column)
            continue
        beside.append(column.view(pa.int64()))
        columns.append(column.cast(pa.timestamp("us", field.type.tz), safe=False))
    return pa.RecordBatch.from_arrays([*columns, *beside], schema=schema)


def _is_ns(field: pa.Field) -> bool:
    return bool(pa.types.is_timestamp(field.type)) and field.type.unit == "ns"


def _beside(name: str) -> str:
    """Return the name of the nanoseconds of a column.

    >>> _beside("recv_time"), _beside("at")
    ('recv_ns', 'at_ns')
    """
    return f"{name.removesuffix(_TIME)}_ns"
