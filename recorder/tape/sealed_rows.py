"""Writing the rows of a tape that nobody reads before it is whole: into sealed segments, without a journal.

A recording needs the journal, as what it has received is nowhere else. What is made of other tapes can be
made again.
"""

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.digest import Digest, RowChecks
from orderbook.engine import Engine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.settings import SealPolicy
from recorder.tape.format.book_spacing import BookSpacing
from recorder.tape.format.layout import product_dir
from recorder.tape.seal_threads import SealThreads
from recorder.tape.sealing import UnsealedSegment, entry_of, seal_segment

_LEVEL: Final = 1
"""zstd level: a fifth of the processor time of a recorder's, and files that `compact` makes smaller."""


class SealedRows:
    """Runs the rows of one product through its book, and seals them; memory holds three segments at most.

    Args:
        tape: directory of the tape, which has no row of the product yet.
        product, feed: the product, and the name of its venue.
        engine: runs the book.
        policy: when a segment ends.
        seals: writes the segments, in order.

    Attributes:
        tally: of the rows so far.
    """

    def __init__(
        self, tape: Path, product: str, feed: str, engine: Engine, policy: SealPolicy, seals: SealThreads
    ) -> None:
        self.tally = Tally(DEFAULT_THRESHOLD, Digest(checks=RowChecks()))
        self._product = product
        self._directory = product_dir(tape, product)
        self._engine = engine
        self._policy = policy
        self._books = BookSpacing(policy.book_rows)
        self._seals = seals
        self._state = engine.start(product, feed)
        self._segment: UnsealedSegment | None = None
        self._digest_before = ""
        self._batches: list[pa.RecordBatch] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the next rows, numbered."""
        while rows.num_rows:
            segment = self._segment or self._begin(rows)
            number, size = _room(segment, self._policy, rows)
            if not number:
                self._end()
                continue
            part, rows = rows.slice(0, number), rows.slice(number)
            self._state, step = self._engine.step(self._state, part)
            self.tally.add(step)
            connection = part.column("connection")
            segment.connections = (segment.connections[0], connection[-1].as_py())
            segment.rows += number
            segment.payload_bytes += size
            segment.last_time = part.column("recv_time")[-1].value
            self._batches.append(part)

    def finish(self) -> None:
        """Seal what is left."""
        if self._segment is not None:
            self._end()

    def _begin(self, rows: pa.RecordBatch) -> UnsealedSegment:
        first, connection = (rows.column(name)[0].as_py() for name in ("seq", "connection"))
        segment = UnsealedSegment(first, rows.column("recv_time")[0].value)
        segment.connections = (connection, connection)
        if self._books.needs_book(first, segment.first_time):
            segment.book_before = self._engine.save(self._state)
        self._segment, self._digest_before = segment, self.tally.digest.hexdigest()
        return segment

    def _end(self) -> None:
        segment, batches = self._segment, self._batches
        assert segment is not None  # noqa: S101  `add` has begun it
        self._segment, self._batches = None, []
        assert self.tally.digest.checks is not None  # noqa: S101  made in `__init__`
        checks = self.tally.digest.checks.take(segment.first_seq, segment.rows)
        entry = entry_of(segment, self.tally)
        book = None if segment.book_before is None else (self._digest_before, segment.book_before)
        self._seals.submit(
            self._product, partial(seal_segment, self._directory, entry, batches, book, checks, _LEVEL)
        )


def _room(segment: UnsealedSegment, policy: SealPolicy, rows: pa.RecordBatch) -> tuple[int, int]:
    """Return how many of the next rows still belong to a segment, and their payload bytes. O(rows)."""
    times = rows.column("recv_time").view(pa.int64()).to_numpy()
    sizes = np.cumsum(pc.binary_length(rows.column("payload")).to_numpy())
    number = min(
        int(np.searchsorted(times, policy.time_limit(segment.first_time))),
        policy.rows - segment.rows,
        int(np.searchsorted(sizes, policy.bytes - segment.payload_bytes)) + 1,
    )
    if segment.payload_bytes >= policy.bytes:
        return 0, 0
    number = min(number, rows.num_rows)
    return number, int(sizes[number - 1]) if number else 0
