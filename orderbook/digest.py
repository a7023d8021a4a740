"""The digest of a product's summaries: equal for live and replay, at any speed and batch size.

Each summary is packed as int64 seq, recv_time and exchange_time in ns (-2^63 where null), float64
bid_price, bid_size, ask_price, ask_size and spread (the NaN 0x7ff8000000000000 where null), little-endian.
d = 32 zero bytes; for each block of 4,096 seq that holds a summary: d = sha256(d + sha256(the block)).
The chain can be resumed, computed in parallel, and bisected to the first difference.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.row_checks import RowChecks

BLOCK: Final = 4096
"""Seq in a block."""

_NULL_TIME: Final = -(2**63)
_INTEGERS: Final = ("seq", "recv_time", "exchange_time")
_FLOATS: Final = ("bid_price", "bid_size", "ask_price", "ask_size", "spread")
_PACKED = np.dtype([(name, "<i8") for name in _INTEGERS] + [(name, "<f8") for name in _FLOATS])


class Digest:
    """The digest so far; feed it the summaries of one product in seq order.

    Attributes:
        chain: d over all blocks before the current one.
        block: number of the current block, None before the first summary.
        pending: the packed summaries of the current block, at most 256 KiB.
        checks: where the checks of the rows are collected too, if anywhere.
    """

    __slots__ = ("block", "chain", "checks", "pending")

    def __init__(self, chain: bytes = bytes(32), checks: RowChecks | None = None) -> None:
        self.chain = chain
        self.checks = checks
        self.block: int | None = None
        self.pending = bytearray()

    def update(self, summaries: pa.RecordBatch) -> None:
        """Take up a batch of summaries. O(rows), 64 bytes a row."""
        if not summaries.num_rows:
            return
        packed = pack(summaries)
        if self.checks is not None:
            self.checks.add(packed)
        seqs = packed["seq"]
        first, last = int(seqs[0]) // BLOCK, int(seqs[-1]) // BLOCK
        parts = [packed]
        if first != last:  # else spare what a small batch costs most here
            edges = np.searchsorted(seqs, np.arange(first + 1, last + 1) * BLOCK)
            parts = [part for part in np.split(packed, edges) if len(part)]
        for part in parts:
            block = int(part["seq"][0]) // BLOCK
            if block != self.block:
                self._close_block()
                self.block = block
            self.pending += part.view(np.uint8).data

    def _close_block(self) -> None:
        self.chain = self.value()
        self.pending = bytearray()

    @property
    def chain_seq(self) -> int:
        """Seq from which summaries must be taken up to go on after `chain`."""
        return (self.block or 0) * BLOCK

    def value(self) -> bytes:
        """Return the 32 bytes of the digest as if the tape ended here. O(pending)."""
        if not self.pending:
            return self.chain
        return sha256(self.chain + sha256(self.pending).digest()).digest()

    def hexdigest(self) -> str:
        """Return the digest as 64 hex digits."""
        return self.value().hex()


def pack(summaries: pa.RecordBatch) -> npt.NDArray[np.void]:
    """Return summaries in the digest's packed form, shape (rows,), 64 bytes each."""
    packed = np.empty(summaries.num_rows, _PACKED)
    words = packed.view(np.int64).reshape(len(packed), len(_INTEGERS) + len(_FLOATS))
    for place, name in enumerate(_INTEGERS):
        values = summaries.column(name).view(pa.int64())
        words[:, place] = (values.fill_null(_NULL_TIME) if values.null_count else values).to_numpy()
    floats = words.view(np.float64)[:, len(_INTEGERS) :]
    for place, name in enumerate(_FLOATS):
        values = summaries.column(name)
        floats[:, place] = values.to_numpy(zero_copy_only=False)
        if values.null_count:  # one bit pattern for null, 0x7ff8000000000000
            floats[np.isnan(floats[:, place]), place] = np.nan
    return packed


def run_digest(products: Mapping[str, str]) -> str:
    """Return the digest of a run: sha256 over the lines `product digest`, sorted.

    Args:
        products: the digest, in hex, of every product that has a row.
    """
    lines = "".join(sorted(f"{product} {digest}\n" for product, digest in products.items()))
    return sha256(lines.encode()).hexdigest()
