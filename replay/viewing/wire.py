"""How columns are sent to the page: Arrow IPC streams."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def listed(values: npt.NDArray[Any] | pa.Array) -> pa.Array:
    """Return values as the only element of an array of lists; not copied."""
    array = values if isinstance(values, pa.Array) else pa.array(np.ascontiguousarray(values))
    return pa.ListArray.from_arrays(pa.array([0, len(array)], pa.int32()), array)


def one_row(**columns: object) -> pa.Table:
    """Return a table of one row: numbers, and lists of different lengths that belong together."""
    return pa.table(
        {name: value if isinstance(value, pa.Array) else pa.array([value]) for name, value in columns.items()}
    )


def to_ipc(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content
