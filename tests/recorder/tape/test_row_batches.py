"""Numbering, checking and splitting rows: no row is lost, doubled or out of order."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.tape.errors import DamagedTapeError
from recorder.tape.row_batches import RowNumbering, check_seqs, split_at
from tests.support.constants import START
from tests.support.rows import frames, in_batches, to_batch, to_rows

PATH = Path("a.journal")


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 5), st.sets(st.integers(0, 40)))
def test_batches_are_split_at_these_rows_and_nowhere_else(
    number: int, size: int, first_seq: int, seqs: set[int]
) -> None:
    """The rows are the same; a batch begins at each of the seqs and where one began before."""
    rows = frames(number, first_seq)
    found = list(split_at(in_batches(rows, size), seqs))
    assert to_rows(found) == rows
    begun = {first_seq + start for start in range(0, number, size)} | seqs
    expected = sorted(begun & set(range(first_seq, first_seq + number)))
    assert [each.column("seq")[0].as_py() for each in found] == expected


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 2**40))
def test_numbers_have_no_gap(sizes: list[int], first_seq: int) -> None:
    """Rows of batches of any size, empty ones left out, are numbered from the first seq on."""
    numbering = RowNumbering(first_seq)
    batches = [numbering.batch([(START, 0, "frame", "é")] * size) for size in sizes if size]
    seqs = [seq for each in batches for seq in each.column("seq").to_pylist()]
    assert seqs == list(range(first_seq, first_seq + sum(sizes)))
    assert numbering.next_seq == first_seq + sum(sizes)


def test_the_first_row_out_of_order_is_named() -> None:
    """A row that is missing, doubled or too late is an error that names the file and both rows."""
    rows = frames(5, 10)
    check_seqs(to_batch(rows), 10, PATH)
    for wrong, message in (
        (to_batch(rows[1:]), "found row 11, expected row 10"),
        (to_batch([*rows[:2], *rows[1:]]), "found row 11, expected row 12"),
        (to_batch([*rows[:3], rows[4]]), "found row 14, expected row 13"),
    ):
        with pytest.raises(DamagedTapeError, match=f"a.journal: {message}"):
            check_seqs(wrong, 10, PATH)
