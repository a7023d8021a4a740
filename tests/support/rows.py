"""Rows of a tape: generated, written by the tape's writer, and read back by its reader."""

import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.schema import TAPE_SCHEMA, TIME
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.settings import SealPolicy
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.support.constants import BTC, START
from tests.support.oracle import Row
from tests.support.tapes import tuples_of

SOFTWARE: Final = "test 0"
ALL_ROWS: Final = 2**62
"""A next_seq above that of every row: the engine has processed all of them."""


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a batch with the columns of the tape."""
    return pa.RecordBatch.from_pylist([row._asdict() for row in rows], schema=TAPE_SCHEMA)


def integers(table: pa.Table | None) -> list[dict[str, Any]]:
    """Return the rows of a table, with times as integers, as Python has no type for them."""
    if table is None:
        return []
    columns = [each.cast(pa.int64()) if each.type == TIME else each for each in table.columns]
    return pa.table(columns, table.column_names).to_pylist()  # type: ignore[no-any-return]


def to_rows(batches: Iterable[pa.RecordBatch | pa.Table]) -> list[Row]:
    """Return batches as rows, times in nanoseconds since the epoch."""
    columns = TAPE_SCHEMA.names
    return [Row(*values) for each in batches for values in tuples_of(each.select(columns))]


def frames(number: int, first_seq: int = 0, *, start: int = START, step: int = 1000) -> list[Row]:
    """Return rows of one connection, each with another text and no book; row 0 opens the connection."""
    rows = [
        Row(seq, start + seq * step, 0, "frame", f'{{"type":"status","n": {seq}, "é": "{"x" * (seq % 13)}"}}')
        for seq in range(first_seq, first_seq + number)
    ]
    return rows if first_seq else [rows[0]._replace(kind="connected"), *rows[1:]]


def in_batches(rows: Sequence[Row], size: int) -> Iterator[pa.RecordBatch]:
    """Yield rows in batches of at most `size`."""
    for start in range(0, len(rows), size):
        yield to_batch(rows[start : start + size])


def cut(rows: Sequence[Row], cuts: Iterable[int]) -> list[pa.RecordBatch]:
    """Return rows as batches, cut before the rows at `cuts`."""
    edges = [0, *sorted(min(place, len(rows)) for place in cuts), len(rows)]
    return [to_batch(rows[start:stop]) for start, stop in pairwise(edges)]


def open_writer(
    tape: Path, *products: str, policy: SealPolicy | None = None, now_ns: Callable[[], int] = lambda: START
) -> TapeWriter:
    """Open a tape of the Exchange feed for writing; the product is BTC-USD unless others are named."""
    return TapeWriter.open(tape, "exchange", products or (BTC,), SOFTWARE, policy or SealPolicy(), now_ns)


def tally() -> Tally:
    """Return the tally of a segment without summaries."""
    return Tally(DEFAULT_THRESHOLD)


def write_tape(
    tape: Path,
    rows: Sequence[Row],
    *,
    policy: SealPolicy | None = None,
    batch_rows: int = 10_000,
    seal: bool = True,
) -> Path:
    """Write rows to a tape; seal all of them, or leave the last ones in the journal."""
    with open_writer(tape, policy=policy) as writer:
        product = writer.products[BTC]
        for each in in_batches(rows, batch_rows):
            product.append(each)
        if seal:
            product.seal_all(tally(), ALL_ROWS)
    return tape


def read_rows(tape: Path, product: str = BTC, size: int = 8192, first_seq: int = 0) -> list[Row]:
    """Return a product's rows by the tape's reader."""
    return to_rows(Tape.open(tape).product(product).batches(size, first_seq))


def journals(tape: Path) -> list[Path]:
    """Return the journal files of a tape."""
    return sorted(tape.glob("product=*/_journal/*"))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Refuse to extend any file beyond `size` bytes while the block runs, as a full disk does.

    Python keeps no compiled module meanwhile: it would not notice that it wrote a part of it.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[0][1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        sys.dont_write_bytecode = before[1]


def hold_lock(tape: Path, held: Event, release: Event) -> None:
    """Open a tape for writing and keep the lock until `release` is set."""
    with open_writer(tape):
        held.set()
        release.wait(60)


def append_and_linger(tape: Path, rows: Sequence[Row], appended: Event) -> None:
    """Append rows without sealing any, then wait until the process is killed."""
    with open_writer(tape, policy=SealPolicy(rows=40)) as writer:
        for each in in_batches(rows, 7):
            writer.products[BTC].append(each)
        appended.set()
        signal.pause()


def record_rows(tape: Path, number: int, started: Event) -> None:
    """Append rows in small batches and seal each segment when it ends, as a recorder does."""
    with open_writer(tape, policy=SealPolicy(rows=50)) as writer:
        started.set()
        product = writer.products[BTC]
        for each in in_batches(frames(number), 7):
            for part in product.append(each):
                product.seal(tally(), part.column("seq")[-1].as_py() + 1)
        product.seal_all(tally(), ALL_ROWS)


def segment_lengths(tape: Path) -> list[int]:
    """Return the number of rows of each sealed segment; the list of segments and the files must agree."""
    entries = read_segment_list(tape / f"product={BTC}")
    assert [pq.read_metadata(tape / f"product={BTC}" / entry.file).num_rows for entry in entries] == [
        entry.rows for entry in entries
    ]
    return [entry.rows for entry in entries]
