"""Rows for tests of the recorder: made by hand, put on a tape by its writer, read back as plain values."""

import resource
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.oracle import Row

START: Final = 1_786_309_548_000_000_000  # 2026-08-09T21:05:48Z
SECOND: Final = 10**9
BTC: Final = "BTC-USD"
SOFTWARE: Final = "test 0"
ALL_ROWS: Final = 2**62
"""A next_seq by which every row has been through the core."""


def batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a batch of the tape's columns."""
    return pa.RecordBatch.from_pylist([row._asdict() for row in rows], schema=TAPE_SCHEMA)


def plain(batches: Iterable[pa.RecordBatch | pa.Table]) -> list[Row]:
    """Return batches as rows, times in nanoseconds since 1970."""
    rows: list[Row] = []
    for each in batches:
        columns = [each.column(name) for name in TAPE_SCHEMA.names]
        columns[1] = columns[1].cast(pa.int64())
        rows += [Row(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]
    return rows


def frames(number: int, first_seq: int = 0, *, start: int = START, step: int = 1000) -> list[Row]:
    """Return rows of one connection, each with a text of its own; the first opens the connection."""
    rows = [
        Row(seq, start + seq * step, 0, "frame", f'{{"n": {seq}, "é": "{"x" * (seq % 13)}"}}')
        for seq in range(first_seq, first_seq + number)
    ]
    return rows if first_seq else [rows[0]._replace(kind="connected"), *rows[1:]]


def in_batches(rows: Sequence[Row], size: int) -> Iterator[pa.RecordBatch]:
    """Yield rows in batches of at most `size`."""
    for start in range(0, len(rows), size):
        yield batch(rows[start : start + size])


def open_writer(
    tape: Path, *products: str, policy: SealPolicy | None = None, now_ns: Callable[[], int] = lambda: START
) -> TapeWriter:
    """Open a tape of the Exchange feed for writing; of BTC-USD where no product is named."""
    return TapeWriter.open(tape, "exchange", products or (BTC,), SOFTWARE, policy or SealPolicy(), now_ns)


def tally() -> Tally:
    """Return what is sealed where no summary was made."""
    return Tally(DEFAULT_THRESHOLD)


def write_tape(
    tape: Path,
    rows: Sequence[Row],
    *,
    policy: SealPolicy | None = None,
    batch_rows: int = 10_000,
    seal: bool = True,
) -> Path:
    """Put rows on a tape, sealed to the last row or left in the journal as they are."""
    with open_writer(tape, policy=policy) as writer:
        product = writer.products[BTC]
        for each in in_batches(rows, batch_rows):
            product.append(each)
        if seal:
            product.seal_all(tally(), ALL_ROWS)
    return tape


def read_rows(tape: Path, product: str = BTC, size: int = 8192, first_seq: int = 0) -> list[Row]:
    """Return a product's rows through the reader."""
    return plain(Tape.open(tape).product(product).batches(size, first_seq))


def segments(tape: Path, product: str = BTC) -> list[Path]:
    """Return the files of a product's sealed segments, in order."""
    return sorted(tape.glob(f"product={product}/date=*/*.parquet"), key=lambda path: path.name)


def journals(tape: Path) -> list[Path]:
    """Return the journals of a tape."""
    return sorted(tape.glob("product=*/_journal/*"))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size while the block runs: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# Bodies of other processes


def hold_lock(tape: Path, held: Event, release: Event) -> None:
    """Open a tape for writing and keep it until told."""
    with open_writer(tape):
        held.set()
        release.wait(60)


def append_and_linger(tape: Path, rows: Sequence[Row], appended: Event) -> None:
    """Append rows without sealing any, then wait for being killed."""
    with open_writer(tape, policy=SealPolicy(rows=40)) as writer:
        for each in in_batches(rows, 7):
            writer.products[BTC].append(each)
        appended.set()
        signal.pause()


def record_rows(tape: Path, number: int, started: Event) -> None:
    """Append many rows in small batches and seal as they come, as a recorder does."""
    with open_writer(tape, policy=SealPolicy(rows=50)) as writer:
        started.set()
        product = writer.products[BTC]
        for each in in_batches(frames(number), 7):
            for part in product.append(each):
                product.seal(tally(), part.column("seq")[-1].as_py() + 1)
        product.seal_all(tally(), ALL_ROWS)
