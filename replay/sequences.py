"""sequence_num over all products of a connection: many-product connections are checked by their union."""

from array import array

import numpy as np
import pyarrow as pa

from orderbook.decoder import sequence_num
from orderbook.marks import Connected, read_connected

_NO_COUNTER = 2**62
"""No connection counts so far."""


class SharedSequences:
    """Collects the numbers of shared connections; one-product connections are the core's to check."""

    def __init__(self) -> None:
        self._numbers: dict[str, array[int]] = {}
        self._current: dict[str, str | None] = {}

    def take_up(self, product: str, rows: pa.RecordBatch) -> None:
        """Collect the numbers of one product's rows, in seq order. O(bytes)."""
        kinds, payloads = rows.column("kind").to_pylist(), rows.column("payload").to_pylist()
        for kind, payload in zip(kinds, payloads, strict=True):
            if kind != "frame":
                opened = read_connected(payload) if kind == "connected" else Connected()
                self._current[product] = opened.id if opened.is_shared else None
                continue
            connection = self._current.get(product)
            number = sequence_num(payload) if connection is not None else None
            if connection is not None and number is not None and abs(number) < _NO_COUNTER:
                self._numbers.setdefault(connection, array("q")).append(number)

    def missing(self) -> dict[str, int]:
        """Return how many numbers are missing, by connection id; 0 for a contiguous one."""
        return {
            connection: int((np.diff(np.unique(numbers)) - 1).sum())
            for connection, numbers in sorted(self._numbers.items())
        }
