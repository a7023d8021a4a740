"""Digests: equal for live and replay, in any batches.

A product's summaries have a digest, and a checksum each. Each summary is packed as int64 seq, recv_time and
exchange_time in ns (-2^63 if null), float64 bid_price, bid_size, ask_price, ask_size and spread (the NaN
0x7ff8000000000000 if null), little-endian. d = 32 zero bytes; for each block of 4,096 seq that holds a
summary: d = sha256(d + sha256(the block)). The chain can be resumed, computed in parallel, and bisected to
the first block that differs. The *checks* of a segment then locate the row: an array with a 32-bit checksum
for each row, 0 if the row has no summary.

Other rows, trades or those of a strategy, have a `RowDigest`: d = sha256 over the lines `name type` of all
columns; then for each row d = sha256(d + the packed row). A packed row holds its values one after another,
little-endian: a byte 1 and the value, or a byte 0 and zeros if it is null. Times are int64 in their unit,
every NaN is 0x7ff8000000000000 (0x7fc00000 as float32), a string is its length in bytes as int64 and its
UTF-8; a null string is the byte 0 alone.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as kinds

BLOCK: Final = 4096
"""Number of seq in a block."""

NULL_TIME: Final = -(2**63)
"""exchange_time of a packed summary without one."""

_INTEGERS: Final = ("seq", "recv_time", "exchange_time")
_FLOATS: Final = ("bid_price", "bid_size", "ask_price", "ask_size", "spread")
WORDS: Final = len(_INTEGERS) + len(_FLOATS)
"""Number of words of eight bytes of a packed summary."""

PACKED_DTYPE: Final = np.dtype([(name, "<i8") for name in _INTEGERS] + [(name, "<f8") for name in _FLOATS])

Checks = npt.NDArray[np.uint32]

# Odd, so that a change of a single word always changes the sum.
_WEIGHTS: Final = np.array([0x9E3779B97F4A7C15 * odd % 2**64 | 1 for odd in range(1, 17, 2)], np.uint64)


def pack(summaries: pa.RecordBatch) -> npt.NDArray[np.void]:
    """Return summaries in the digest's packed form, shape (rows,), 64 bytes each."""
    packed = np.empty(summaries.num_rows, PACKED_DTYPE)
    words = packed.view(np.int64).reshape(len(packed), WORDS)
    for place, name in enumerate(_INTEGERS):
        values = summaries.column(name).view(pa.int64())
        words[:, place] = (values.fill_null(NULL_TIME) if values.null_count else values).to_numpy()
    floats = words.view(np.float64)[:, len(_INTEGERS) :]
    for place, name in enumerate(_FLOATS):
        values = summaries.column(name)
        floats[:, place] = values.to_numpy(zero_copy_only=False)
        if values.null_count:  # one bit pattern for null, 0x7ff8000000000000
            floats[np.isnan(floats[:, place]), place] = np.nan
    return packed


def checks_of(packed: npt.NDArray[np.void]) -> Checks:
    """Return the check of each packed summary (see `pack`), never 0. O(rows)."""
    words = packed.view(np.uint64).reshape(len(packed), len(_WEIGHTS))
    mixed = (words ^ (words >> np.uint64(29))) * _WEIGHTS
    upper = mixed.sum(axis=1, dtype=np.uint64) >> np.uint64(32)
    checks: Checks = np.maximum(upper, 1).astype(np.uint32)
    return checks


class RowChecks:
    """Collects the checks of one product since the last segment; 12 bytes for each summary."""

    def __init__(self) -> None:
        self._parts: list[tuple[npt.NDArray[np.int64], Checks]] = []

    def add(self, packed: npt.NDArray[np.void]) -> None:
        """Add packed summaries, in seq order."""
        self._parts.append((packed["seq"].copy(), checks_of(packed)))

    def take(self, first_seq: int, rows: int) -> Checks:
        """Return the checks of a segment, shape (rows,), and discard them and all before."""
        dense = np.zeros(rows, np.uint32)
        kept = []
        for seq, checks in self._parts:
            inside = (seq >= first_seq) & (seq < first_seq + rows)
            dense[seq[inside] - first_seq] = checks[inside]
            after = seq >= first_seq + rows
            if after.any():
                kept.append((seq[after], checks[after]))
        self._parts = kept
        return dense


class Digest:
    """The digest of one product so far; add its summaries in seq order.

    The digest of a *piece* of a tape does not know the chain before it: it keeps what the chain needs of each
    block, and the whole first block, which may have begun in the piece before. It has no value of its own;
    the digest of the rows before it takes it by `merge`.

    Args:
        chain: d over all blocks before; None for a piece.
        checks: collects the checks of the rows too, if it is not None.

    Attributes:
        chain: d over all blocks before the current one; of a piece, the same of nothing.
        block: number of the current block, None before the first summary.
        pending: the packed summaries of the current block, at most 256 KiB.
        checks: as passed.
        first: of a piece, number and packed summaries of its first block, once that is complete.
        hashes: of a piece, sha256 of each complete block after the first; None if it is no piece.
    """

    __slots__ = ("block", "chain", "checks", "first", "hashes", "pending")

    def __init__(self, chain: bytes | None = bytes(32), checks: RowChecks | None = None) -> None:
        self.hashes: list[bytes] | None = [] if chain is None else None
        self.first: tuple[int, bytes] | None = None
        self.chain = bytes(32) if chain is None else chain
        self.checks = checks
        self.block: int | None = None
        self.pending = bytearray()

    def update(self, summaries: pa.RecordBatch) -> None:
        """Add a batch of summaries. O(rows), 64 bytes for each row."""
        self.add(pack(summaries))

    def add(self, packed: npt.NDArray[np.void]) -> None:
        """Add packed summaries, see `pack`. O(rows)."""
        if not len(packed):
            return
        if self.checks is not None:
            self.checks.add(packed)
        seqs = packed["seq"]
        first, last = int(seqs[0]) // BLOCK, int(seqs[-1]) // BLOCK
        parts = [packed]
        if first != last:  # most small batches are inside one block
            edges = np.searchsorted(seqs, np.arange(first + 1, last + 1) * BLOCK)
            parts = [part for part in np.split(packed, edges) if len(part)]
        for place, part in enumerate(parts, 1):
            block, content = int(part["seq"][0]) // BLOCK, part.view(np.uint8).data
            is_whole = place < len(parts) and block != self.block
            if is_whole and (self.hashes is None or self.first is not None):
                self._close_block()  # of the one before
                self.block = block
                self._add_block(sha256(content).digest())
            else:
                self.extend(block, content)

    def extend(self, block: int, packed: bytes | bytearray | memoryview) -> None:
        """Add packed summaries of one block. O(length)."""
        if block != self.block:
            self._close_block()
            self.block = block
        self.pending += packed

    def _close_block(self) -> None:
        if not self.pending:
            return
        if self.hashes is not None and self.first is None:
            assert self.block is not None  # noqa: S101  it has pending summaries
            self.first = self.block, bytes(self.pending)
        else:
            self._add_block(sha256(self.pending).digest())
        self.pending = bytearray()

    def _add_block(self, digest: bytes) -> None:
        if self.hashes is None:
            self.chain = sha256(self.chain + digest).digest()
        else:
            self.hashes.append(digest)

    def merge(self, later: "Digest") -> None:
        """Add the digest of the piece that comes next. O(its blocks)."""
        assert later.hashes is not None  # noqa: S101  it is a piece
        if later.first is not None:
            self.extend(*later.first)
            self._close_block()
            for digest in later.hashes:
                self._add_block(digest)
        if later.block is not None:
            self.extend(later.block, later.pending)

    def copy(self) -> "Digest":
        """Return a copy that continues on its own, without checks. O(pending)."""
        copy = Digest(self.chain)
        copy.block, copy.pending = self.block, self.pending.copy()
        copy.first, copy.hashes = self.first, None if self.hashes is None else self.hashes.copy()
        return copy

    @property
    def chain_seq(self) -> int:
        """The seq from which summaries must be added again to continue after `chain`."""
        return (self.block or 0) * BLOCK

    def value(self) -> bytes:
        """Return the 32 bytes of the digest as if the tape ended here. O(pending)."""
        if not self.pending:
            return self.chain
        return sha256(self.chain + sha256(self.pending).digest()).digest()

    def hexdigest(self) -> str:
        """Return the digest as 64 hex digits."""
        return self.value().hex()


def run_digest(products: Mapping[str, str]) -> str:
    """Return the digest of a run: sha256 over the lines `product digest`, sorted.

    Args:
        products: the digest in hex of every product that has a row.
    """
    lines = "".join(sorted(f"{product} {digest}\n" for product, digest in products.items()))
    return sha256(lines.encode()).hexdigest()


class RowDigest:
    """The digest of one product's rows so far; it can be copied and continued.

    Args:
        schema: the columns of the rows.
        is_piece: whether other rows precede: the packed rows are kept, for the `merge` of the digest before.

    Attributes:
        rows: number of rows so far.
        kept: of a piece, the packed rows; None if it is no piece.
    """

    __slots__ = ("_chain", "kept", "rows")

    def __init__(self, schema: pa.Schema, *, is_piece: bool = False) -> None:
        self._chain = sha256("".join(f"{field.name} {field.type}\n" for field in schema).encode()).digest()
        self.kept: list[bytes] | None = [] if is_piece else None
        self.rows = 0

    def update(self, rows: pa.RecordBatch) -> None:
        """Add a batch of the schema. O(rows x columns) in Python: such rows are few."""
        self._add([b"".join(packed) for packed in zip(*map(_packed, rows.columns), strict=True)])

    def merge(self, later: "RowDigest") -> None:
        """Add the digest of the piece that comes next. O(its rows)."""
        assert later.kept is not None  # noqa: S101  it is a piece
        self._add(later.kept)

    def _add(self, packed: Sequence[bytes]) -> None:
        self.rows += len(packed)
        if self.kept is not None:
            self.kept += packed
            return
        for row in packed:
            self._chain = sha256(self._chain + row).digest()

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
