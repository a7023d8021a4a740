"""The digest of rows, of trades or of a strategy: equal however they were cut into batches.

d = sha256 over the lines `name type` of all columns; then for each row d = sha256(d + the packed row).
A packed row holds its values one after another, little-endian: a byte 1 and the value, or a byte 0 and zeros
if it is null. Times are int64 in their unit, every NaN is 0x7ff8000000000000 (0x7fc00000 as float32), a
string is its length in bytes as int64 and its UTF-8; a null string is the byte 0 alone.
"""

from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds


class RowDigest:
    """The digest of one product's rows so far; it can be copied and continued.

    Attributes:
        rows: number of rows so far.
    """

    __slots__ = ("_chain", "rows")

    def __init__(self, schema: pa.Schema) -> None:
        self._chain = sha256("".join(f"{field.name} {field.type}\n" for field in schema).encode()).digest()
        self.rows = 0

    def update(self, rows: pa.RecordBatch) -> None:
        """Add a batch of the schema. O(rows x columns) in Python: such rows are few."""
        for packed in zip(*map(_packed, rows.columns), strict=True):
            self._chain = sha256(b"".join((self._chain, *packed))).digest()
        self.rows += rows.num_rows

    def hexdigest(self) -> str:
        """Return the digest as 64 hex digits."""
        return self._chain.hex()


def is_packable(kind: pa.DataType) -> bool:
    """Return whether rows can have a column of this type: a number, a bool, a time or a string."""
    is_number = kinds.is_integer(kind) or kinds.is_float32(kind) or kinds.is_float64(kind)
    return bool(is_number or kinds.is_boolean(kind) or kinds.is_timestamp(kind) or kinds.is_string(kind))


def _packed(column: pa.Array) -> list[bytes]:
    """Return each value of a column in its packed form."""
    if kinds.is_string(column.type):
        texts = (None if value is None else value.encode() for value in column.to_pylist())
        return [b"\0" if text is None else b"\1" + len(text).to_bytes(8, "little") + text for text in texts]
    if kinds.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif kinds.is_boolean(column.type):
        column = column.cast(pa.uint8())
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    packed = np.empty(len(column), [("is_valid", "u1"), ("value", values.dtype.newbyteorder("<"))])
    packed["is_valid"] = column.is_valid().to_numpy(zero_copy_only=False)
    packed["value"] = values
    if kinds.is_floating(column.type):
        packed["value"][np.isnan(values)] = np.nan
    return packed.view(f"V{packed.dtype.itemsize}").tolist()
