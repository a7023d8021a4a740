"""A block of prepared rows: their columns as small differences, then their payloads, compressed.

The columns are recv_time, exchange_time, connection, the kind as a number, and where each payload ends. A
column is its first value, a unit, and a dtype of numpy (`COLUMN`); then for each row the difference from the
row before, in this unit and of this dtype; nothing if all of them are 0.
"""

import struct
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import zstandard

from orderbook.schema import PACKED, PACKED_SCHEMA, TIME

MAX_BYTES: Final = 2**30
"""Of a block: more is not one."""
COLUMN: Final = struct.Struct("<qq2s")

_HEAD: Final = struct.Struct("<qq")  # rows, first seq
_KINDS: Final = pa.array([PACKED, "frame", "connected", "disconnected"])
_DTYPES: Final = ("u1", "i1", "u2", "i2", "u4", "i4", "i8")
_SAME: Final = b"\0\0"
_SLACK: Final = bytes(8)  # an engine reads a packed row eight bytes at a time
_LEVEL: Final = -5
"""Of zstd: no Huffman codes, which take longer to read than all else here; a higher level reads no faster."""


def pack_block(rows: pa.RecordBatch) -> bytes:
    """Return rows of `PACKED_SCHEMA`, with a checksum.

    Raises:
        ValueError: if they have a kind that no version knows.
    """
    import pyarrow.compute as pc  # noqa: PLC0415  takes 40 ms, and only writing needs it

    seq, recv_time, connection, kind, payload, exchange_time = rows.columns
    codes = pc.index_in(kind, _KINDS)
    if codes.null_count:
        raise ValueError("a kind of row that no version knows")
    _, offsets, data = payload.buffers()
    ends = np.frombuffer(offsets, np.int32)[payload.offset : payload.offset + len(payload) + 1]
    columns = recv_time.view(pa.int64()), exchange_time, connection, codes
    content = (
        _HEAD.pack(rows.num_rows, seq[0].as_py()),
        *(_pack_column(column.to_numpy()) for column in columns),
        _pack_column(ends[1:] - ends[0]),
        b"" if data is None else memoryview(data)[ends[0] : ends[-1]],
        _SLACK,
    )
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(b"".join(content))


def unpack_block(block: bytes, rows: int, first_seq: int) -> pa.RecordBatch:
    """Return the rows of a block.

    Raises:
        ValueError: if it is not what was written.
    """
    try:
        if zstandard.frame_content_size(block) > MAX_BYTES:
            raise ValueError("too large for a block")
        content = zstandard.ZstdDecompressor().decompress(block)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if _HEAD.unpack_from(content) != (rows, first_seq):
        raise ValueError("other rows than said before the block")
    at = _HEAD.size
    columns = []
    for dtype in (np.int64, np.int64, np.int32, np.int8, np.int32):
        at, column = _unpack_column(content, at, rows, dtype)
        columns.append(column)
    recv_time, exchange_time, connection, kinds, ends = columns
    offsets = np.empty(rows + 1, np.int32)
    offsets[0], offsets[1:] = 0, ends
    if offsets[-1] != len(content) - at - len(_SLACK):
        raise ValueError("the payloads have another length than their rows")
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.arange(first_seq, first_seq + rows)),
            pa.array(recv_time).view(TIME),
            pa.array(connection),
            _KINDS.take(pa.array(kinds)) if kinds.any() else _all_packed(rows),
            pa.Array.from_buffers(
                pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(content).slice(at)]
            ),
            pa.array(exchange_time),
        ],
        schema=PACKED_SCHEMA,
    )


def _pack_column(values: npt.NDArray[Any]) -> bytes:
    values = values.astype(np.int64)
    steps = np.diff(values, prepend=values[:1])
    unit = int(np.gcd.reduce(steps))
    if not unit:
        return COLUMN.pack(int(values[0]), 1, _SAME)
    steps //= unit
    low, high = int(steps.min()), int(steps.max())
    dtype = next(each for each in _DTYPES if np.iinfo(each).min <= low and high <= np.iinfo(each).max)
    return COLUMN.pack(int(values[0]), unit, dtype.encode()) + steps.astype(f"<{dtype}").tobytes()


def _unpack_column(content: bytes, at: int, rows: int, kind: npt.DTypeLike) -> tuple[int, npt.NDArray[Any]]:
    """Return the position behind a column, and its values as a kind of integers."""
    first, unit, dtype = COLUMN.unpack_from(content, at)
    at += COLUMN.size
    if dtype == _SAME:
        return at, np.full(rows, first, kind)
    steps = np.frombuffer(content, f"<{dtype.decode()}", rows, at)
    values = np.multiply(steps, unit, dtype=kind, casting="unsafe")  # fits, as the values do
    values[0] = first  # whose step is 0
    return at + steps.nbytes, np.cumsum(values, out=values)


@lru_cache(4)
def _all_packed(rows: int) -> pa.Array:
    word = PACKED.encode()
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(len(word))
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(word * rows)])
