"""Following a tape that is being recorded, like `tail -f`: its rows once, in order, as they arrive."""

from collections.abc import Iterator

import pyarrow as pa

from recorder.tape.journal import JournalReader, journal_paths
from recorder.tape.layout import CATALOG, journal_file
from recorder.tape.reader import BATCH_ROWS, ProductTape, check_follows


def follow(tape: ProductTape, first_seq: int = 0, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch | None]:
    """Yield a product's rows without end; None where nothing is new.

    A row comes as soon as its record is whole in the journal, whatever is sealed, merged or taken up by
    another recorder meanwhile. An idle look costs a few calls of the operating system.

    Args:
        tape: the product's rows.
        first_seq: start there.
        size: rows in a batch at most.

    Raises:
        DamagedTapeError: where a file is not what was written.
    """
    next_seq = first_seq
    while True:
        listed = _catalog_state(tape)  # before reading: whatever is sealed later changes it
        for batch in tape.batches(size, next_seq):
            next_seq += batch.num_rows
            yield batch
        for batch_or_none in _appended(tape, next_seq, size):
            if batch_or_none is not None:
                next_seq += batch_or_none.num_rows
            yield batch_or_none
        while _journal_name(tape, next_seq) is None and _catalog_state(tape) == listed:
            yield None


def _appended(tape: ProductTape, next_seq: int, size: int) -> Iterator[pa.RecordBatch | None]:
    """Yield what is appended to the journal at work, until its recorder has gone on to another.

    The open journal stays readable when it is sealed and dropped, so none of its rows is missed.
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
            # Looked for before the rows are: what came before it is then sure to be read.
            has_gone_on = _journal_name(tape, next_seq) != name
            before = next_seq
            for batch in journal.new_batches(next_seq, size):
                check_follows(batch, next_seq, journal.path)
                next_seq += batch.num_rows
                yield batch
            if next_seq == before and has_gone_on:
                return
            if next_seq == before:
                yield None


def _journal_name(tape: ProductTape, next_seq: int) -> str | None:
    """Return the last journal that begins at or before a row; None where there is none."""
    names = (path.name for path in journal_paths(tape.journals))
    return max((name for name in names if name <= journal_file(next_seq)), default=None)


def _catalog_state(tape: ProductTape) -> tuple[int, int, int] | None:
    """Return what tells one state of the list of segments from another."""
    try:
        stat = (tape.directory / CATALOG).stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
