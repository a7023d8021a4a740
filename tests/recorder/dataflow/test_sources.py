"""The sources of recordings: rows are numbered from the end of the tape, in order, and a source ends once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.captures.capture_rows import CaptureRows
from recorder.captures.formats import CaptureError
from recorder.captures.survey import survey
from recorder.dataflow.running import FirstFailure
from recorder.dataflow.sources import CaptureSource, QueuedRows, _ProductPartition
from recorder.live.queue import Received, ReceiveQueue
from recorder.settings import IMPORT
from recorder.tape.row_batches import Position
from tests.support.constants import BTC
from tests.support.rows import open_writer, to_rows
from tests.support.tapes import Timed, snapshot, write_capture


@given(st.lists(st.lists(st.text(max_size=9), min_size=1, max_size=9), max_size=5), st.integers(0, 2**40))
def test_rows_are_numbered_from_the_end_of_the_tape(bursts: list[list[str]], first: int) -> None:
    """The rows that arrive between two polls are one batch; seqs have no gap, and the end comes last."""
    queue = ReceiveQueue([BTC])
    partition = _ProductPartition(BTC, QueuedRows(queue, {BTC: Position(first)}))
    rows = []
    for number, burst in enumerate(bursts):
        for payload in burst:
            queue.put(BTC, Received(number, 3, "frame", payload))
        ((product, batch),) = partition.next_batch()
        assert (product, batch.num_rows) == (BTC, len(burst))
        rows += to_rows([batch])
    queue.put(BTC, Received(9, 3, "disconnected", "{}"))
    queue.finish(BTC)
    rows += to_rows([partition.next_batch()[0][1]])
    with pytest.raises(StopIteration):
        partition.next_batch()
    assert [row.seq for row in rows] == list(range(first, first + len(rows)))
    assert [row.payload for row in rows] == [*sum(bursts, []), "{}"]  # noqa: RUF017  a few small lists


def test_a_capture_that_changed_ends_the_import(tmp_path: Path) -> None:
    """A line that became bad after the survey is reported and ends the source; rows before it are kept."""
    frames: list[Timed] = [(0, snapshot(BTC))] * 5_000
    capture = write_capture(tmp_path / "a.jsonl", frames)
    rows = CaptureRows(survey([capture], IMPORT), {BTC: Position()})
    failure = FirstFailure(rows.stop)
    writer = open_writer(tmp_path / "tape")
    partition = CaptureSource(rows, writer, failure).build_part("", "captures", None)
    with capture.open("a", encoding="utf-8") as file:
        file.write("no JSON\n")
    ((_, batch),) = partition.next_batch()
    assert [row.seq for row in to_rows([batch])] == list(range(4_096))
    with writer, pytest.raises(StopIteration):
        partition.next_batch()
    assert isinstance(failure.error, CaptureError)
    assert "a.jsonl: line 5001" in str(failure.error)
