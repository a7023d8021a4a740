"""A journal cut at every byte offset: readers see the intact records before it, the writer cuts the rest."""

import os
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

from recorder.tape.format.journal import JournalExtent, JournalReader, cut_torn_tail
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.journals import encoded
from tests.support.oracle import Row
from tests.support.rows import frames, to_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

BYTES = cases(2**20, 2**14)
WHOLLY_READ = cases(2**15, 2**11)
"""Up to this offset the whole file is read at every cut."""
CUTS_OF_THE_WRITER = cases(20_000, 200)


def test_a_cut_journal_is_its_exact_prefix(tmp_path: Path) -> None:
    """A journal cut at any byte has exactly the rows of the records before the cut."""
    rng = Random(4)
    records: list[bytes] = []
    rows: list[Row] = []
    while sum(map(len, records)) < BYTES:
        (row,) = frames(1, len(rows) + 1)
        rows.append(row._replace(payload=row.payload * rng.choice((1, 1, 2, 8, 100))))
        records.append(encoded(rows[-1:]))
    data = b"".join(records)[:BYTES]
    ends = [0, *accumulate(map(len, records))]
    path = tmp_path / "cut.journal"
    path.write_bytes(data)
    wrong = 0
    last = tail_of = -1
    # The file shrinks by one byte at a time. Beyond WHOLLY_READ all of it is read only at every 997th cut and
    # when a record disappears; at other cuts the rest of the last record is read as a separate journal.
    with path.open("r+b") as file:
        for cut in range(len(data), -1, -1):
            whole = bisect_right(ends, cut) - 1
            if cut > WHOLLY_READ and whole == last and cut % 997:
                torn = data[ends[whole] : cut]
                wrong += _is_misread(tmp_path / "tail.journal", torn, is_new=tail_of != whole)
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
                    wrong += to_rows(journal.batches(0, 8192)) != rows[:whole]
                    last = whole
    report("journal cuts", cuts=len(data) + 1, wrong=wrong)
    assert not wrong


def _is_misread(path: Path, tail: bytes, *, is_new: bool) -> bool:
    """Return whether a reader returns rows of a torn record, or at every 16th byte reports another extent."""
    if is_new:
        path.write_bytes(tail)
    else:
        os.truncate(path, len(tail))
    with JournalReader(path) as reader:
        if len(tail) % 16:
            return any(True for _ in reader.batches(0, 8192))
        return reader.extent() != JournalExtent(0, 0, len(tail), is_damaged=False)


def test_the_writer_cuts_what_is_torn(tmp_path: Path) -> None:
    """A torn tail is cut after the last intact record, its bytes are reported, and nothing else changes."""
    rng = Random(5)
    rows = frames(60, 1)
    records = [encoded([row]) for row in rows]
    data = b"".join(records)
    ends = [0, *accumulate(map(len, records))]
    path = tmp_path / "torn.journal"
    for _ in range(CUTS_OF_THE_WRITER):
        cut = rng.randint(0, len(data))
        garbage = rng.randbytes(rng.choice((0, 0, 1, 7, 8, 40, 600)))
        if garbage and garbage[:1] == data[cut : cut + 1]:
            garbage = bytes([garbage[0] ^ 1]) + garbage[1:]  # the byte that was cut off would be no garbage
        whole = ends[bisect_right(ends, cut) - 1]
        path.write_bytes(data[:cut] + garbage)
        assert cut_torn_tail(path) == cut + len(garbage) - whole
        assert path.read_bytes() == data[:whole]
    report("torn tails", cuts=CUTS_OF_THE_WRITER)
