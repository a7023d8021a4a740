"""A journal cut at every byte offset: readers see the whole records before, the writer cuts the rest."""

import os
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

from recorder.tape.journal import JournalExtent, JournalReader
from recorder.tape.journal_writer import cut_torn_tail, encode_rows
from tests.endurance.forms import TIMEOUT_S, cases, tell
from tests.oracle import Row
from tests.recorder.rows import batch, frames, plain

pytestmark = pytest.mark.timeout(TIMEOUT_S)

BYTES = cases(2**20, 2**16)
WHOLLY_READ = cases(2**15, 2**12)
"""Up to this offset the whole file is read at every cut."""
CUTS_OF_THE_WRITER = cases(20_000, 200)


def test_a_cut_journal_is_its_exact_prefix(tmp_path: Path) -> None:
    """At whichever byte a journal is cut, its rows are those of the records before, byte for byte."""
    rng = Random(4)
    records: list[bytes] = []
    rows: list[Row] = []
    while sum(map(len, records)) < BYTES:
        (row,) = frames(1, len(rows) + 1)
        rows.append(row._replace(payload=row.payload * rng.choice((1, 1, 2, 8, 100))))
        records.append(encode_rows(batch(rows[-1:])))
    data = b"".join(records)[:BYTES]
    ends = [0, *accumulate(map(len, records))]
    path = tmp_path / "cut.journal"
    path.write_bytes(data)
    wrong = 0
    last = tail_of = -1
    # The file shrinks a byte at a time. Far in, the whole of it is read at every 997th cut and where a record
    # goes; at the cuts between, what is left of the last record is read as a journal of its own.
    with path.open("r+b") as file:
        for cut in range(len(data), -1, -1):
            whole = bisect_right(ends, cut) - 1
            if cut > WHOLLY_READ and whole == last and cut % 997:
                torn = data[ends[whole] : cut]
                wrong += _is_taken(tmp_path / "tail.journal", torn, is_new=tail_of != whole)
                tail_of = whole
                continue
            file.truncate(cut)
            with JournalReader(path) as journal:
                extent = journal.extent()
                wrong += (extent.rows, extent.complete, extent.torn) != (
                    whole,
                    ends[whole],
                    cut - ends[whole],
                )
                wrong += extent.is_damaged
                if whole != last:
                    wrong += plain(journal.batches(0, 8192)) != rows[:whole]
                    last = whole
    tell("journal cuts", cuts=len(data) + 1, wrong=wrong)
    assert not wrong


def _is_taken(path: Path, tail: bytes, *, is_new: bool) -> bool:
    """Tell whether a reader takes a torn record for anything else than torn; every 16th is searched too."""
    if is_new:
        path.write_bytes(tail)
    else:
        os.truncate(path, len(tail))
    with JournalReader(path) as reader:
        if len(tail) % 16:
            return any(True for _ in reader.batches(0, 8192))
        return reader.extent() != JournalExtent(0, 0, len(tail), is_damaged=False)


def test_the_writer_cuts_what_is_torn(tmp_path: Path) -> None:
    """A torn tail is cut to the last whole record, the number of bytes told, and nothing else changed."""
    rng = Random(5)
    rows = frames(60, 1)
    records = [encode_rows(batch([row])) for row in rows]
    data = b"".join(records)
    ends = [0, *accumulate(map(len, records))]
    path = tmp_path / "torn.journal"
    for _ in range(CUTS_OF_THE_WRITER):
        cut = rng.randint(0, len(data))
        garbage = rng.randbytes(rng.choice((0, 0, 1, 7, 8, 40, 600)))
        whole = ends[bisect_right(ends, cut) - 1]
        path.write_bytes(data[:cut] + garbage)
        assert cut_torn_tail(path) == cut + len(garbage) - whole
        assert path.read_bytes() == data[:whole]
    tell("torn tails", cuts=CUTS_OF_THE_WRITER)
