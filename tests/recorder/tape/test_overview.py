"""Looking a tape over: what is damaged is told, and no mark is lost without a word."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.tape.errors import DamagedTapeError
from recorder.tape.overview import Mark, Overview, overview
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from tests.oracle import Row
from tests.recorder.rows import frames, write_tape

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
PRODUCT = "BTC-USD"


def look_over(tape: Path) -> Overview | str:
    """Return what a tape holds, or what is said of its damage."""
    try:
        return overview(Tape.open(tape).product(PRODUCT))
    except DamagedTapeError as error:
        return str(error)


def test_no_flipped_bit_among_the_kinds_loses_a_mark(tmp_path: Path) -> None:
    """A flip in the page of the kinds' texts, its header included, is told, or changes nothing."""
    tape = tmp_path / "tape"
    shutil.copytree(SAMPLE, tape)
    segment = min(tape.glob(f"product={PRODUCT}/*/*.parquet"))
    whole = segment.read_bytes()
    group = pq.read_metadata(segment).row_group(0)
    (kind,) = (group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "kind")
    expected = look_over(tape)
    assert isinstance(expected, Overview)
    assert expected.marks
    told = 0
    for place in range(kind.dictionary_page_offset, kind.data_page_offset):
        for bit in range(8):
            segment.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = look_over(tape)
            if isinstance(found, str):
                told += str(segment) in found
            else:
                assert found == expected, (place, bit)
    assert told


def rows_of(connections: Sequence[tuple[int, bool]]) -> list[Row]:
    """Return connections of so many frames each; a recorder that was killed does not say that one ended."""
    kinds = [
        (number, kind)
        for number, (length, is_ended) in enumerate(connections)
        for kind in ("connected", *["frame"] * length, *["disconnected"] * is_ended)
    ]
    rows = frames(len(kinds))
    return [
        row._replace(connection=number, kind=kind) for row, (number, kind) in zip(rows, kinds, strict=True)
    ]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=6),
    st.integers(1, 5),
    st.booleans(),
)
def test_the_marks_are_all_rows_that_are_no_frames(
    connections: list[tuple[int, bool]], segment_rows: int, seal: bool
) -> None:
    """However rows lie in segments and journals, of which those within one connection are not read."""
    rows = rows_of(connections)
    times = [None, *(row.recv_time for row in rows)]
    marks = [
        Mark(row.recv_time, row.connection, row.kind, row.payload, before)
        for row, before in zip(rows, times, strict=False)
        if row.kind != "frame"
    ]
    with TemporaryDirectory() as directory:
        policy = SealPolicy(rows=segment_rows)
        tape = write_tape(Path(directory) / "tape", rows, policy=policy, batch_rows=7, seal=seal)
        found = look_over(tape)
    assert isinstance(found, Overview)
    assert found.marks == tuple(marks)
    assert (found.rows, found.first_time, found.last_time) == (len(rows), times[1], times[-1])
