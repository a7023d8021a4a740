"""Numbering: what was received becomes tape rows."""

from collections.abc import Sequence

import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.inbox import Received


class RowNumbering:
    """Gives the rows of one product their seq, from a start on without holes."""

    __slots__ = ("next_seq",)

    def __init__(self, next_seq: int) -> None:
        self.next_seq = next_seq

    def batch(self, received: Sequence[Received]) -> pa.RecordBatch:
        """Return rows of `TAPE_SCHEMA` for what was received, in order."""
        first, self.next_seq = self.next_seq, self.next_seq + len(received)
        recv_time, connection, kind, payload = zip(*received, strict=True)
        return pa.RecordBatch.from_arrays(
            [
                pa.array(range(first, self.next_seq), pa.int64()),
                pa.array(recv_time, pa.int64()).view(TIME),
                pa.array(connection, pa.int32()),
                pa.array(kind, pa.string()),
                pa.array(payload, pa.string()),
            ],
            schema=TAPE_SCHEMA,
        )
