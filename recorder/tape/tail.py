"""Following a tape that is being recorded, like `tail -f`: its rows once, in order, as they arrive."""

from collections.abc import Iterator

import pyarrow as pa

from recorder.tape.errors import TapeError
from recorder.tape.format.journal import JournalReader
from recorder.tape.format.layout import journal_file
from recorder.tape.product_tape import ProductTape
from recorder.tape.row_batches import BATCH_ROWS, check_seqs
from recorder.tape.store import files as store


def follow(tape: ProductTape, first_seq: int = 0, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch | None]:
    """Yield a product's rows without end; None when there is nothing new.

    A row comes as soon as its record in the journal is complete, even if segments are sealed or merged
    meanwhile, or another recorder continues the tape. A poll that finds nothing costs a few system calls.

    Args:
        tape: the part of the product.
        first_seq: seq of the first row.
        size: maximum rows in a batch.

    Raises:
        DamagedTapeError: if a file is not what was written.
        TapeError: if the tape is in a store.
    """
    if store.is_remote(tape.directory):
        reason = "a tape in a store has no rows that are not sealed: follow the one that is recorded"
        raise TapeError(f"{tape.directory}: {reason}", tape.directory)
    next_seq = first_seq
    while True:
        listed = tape.end_of_list()  # before reading: anything sealed later changes it
        for batch in tape.batches(size, next_seq):
            next_seq += batch.num_rows
            yield batch
        for batch_or_none in _appended(tape, next_seq, size):
            if batch_or_none is not None:
                next_seq += batch_or_none.num_rows
            yield batch_or_none
        while _journal_name(tape, next_seq) is None and tape.end_of_list() == listed:
            yield None


def _appended(tape: ProductTape, next_seq: int, size: int) -> Iterator[pa.RecordBatch | None]:
    """Yield what is appended to the current journal, until its recorder has moved on to another.

    The open journal stays readable after it is sealed and removed, so no row of it is missed.
    """
    name = _journal_name(tape, next_seq)
    if name is None:
        return
    try:
        journal = JournalReader(tape.journals / name)
    except FileNotFoundError:
        return  # sealed since it was listed
    with journal:
        while True:
            # Looked up before reading: rows that were written before the next journal are then read.
            has_moved_on = _journal_name(tape, next_seq) != name
            before = next_seq
            for batch in journal.batches(next_seq, size):
                check_seqs(batch, next_seq, journal.path)
                next_seq += batch.num_rows
                yield batch
            if next_seq == before and has_moved_on:
                return
            if next_seq == before:
                yield None


def _journal_name(tape: ProductTape, next_seq: int) -> str | None:
    """Return the last journal that begins at or before a row; None if there is none."""
    names = (path.name for path in tape.journal_paths())
    return max((name for name in names if name <= journal_file(next_seq)), default=None)
