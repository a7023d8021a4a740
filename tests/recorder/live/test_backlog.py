"""Rows between journal and dataflow: whatever waits in memory or on disk, all arrive once, in order."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.live.backlog import Backlog
from recorder.live.queue import Received, ReceiveQueue
from recorder.settings import SealPolicy
from recorder.tape.writer import TapeWriter
from tests.support.constants import BTC, START
from tests.support.rows import open_writer, to_rows


def fail(error: Exception) -> None:
    """Raise what is reported."""
    raise error


class Lane:
    """A writer, a queue and the backlog of one product, driven by hand."""

    def __init__(self, writer: TapeWriter, max_bytes: int) -> None:
        self.queue = ReceiveQueue([BTC], max_bytes)
        self.backlog = Backlog([BTC], self.queue, fail)
        self.written: list[Received] = []
        self._writer = writer.products[BTC]

    def write(self, payloads: list[str]) -> None:
        """Write rows to the journal and put them in the backlog."""
        rows = [Received(START + len(self.written), 0, "frame", payload) for payload in payloads]
        for place in self._writer.write(len(self.written), rows):
            self.backlog.put(BTC, place, rows[: place.rows])
            rows = rows[place.rows :]
        self.written += [Received(START + len(self.written), 0, "frame", payload) for payload in payloads]

    def taken(self, most: int = 2**40) -> Iterator[pa.RecordBatch]:
        """Take up to a number of batches."""
        while most and (rows := self.backlog.take(BTC)) is not None:
            most -= 1
            yield rows


@given(
    st.lists(st.tuples(st.lists(st.text(max_size=300), min_size=1, max_size=12), st.integers(0, 3))),
    st.sampled_from([0, 800, 10_000, 10**9]),
    st.integers(1, 30),
)
def test_everything_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[list[str], int]],
    max_bytes: int,
    segment_rows: int,
) -> None:
    """With any bound and pace, rows arrive as they were written; no batch has rows of two segments."""
    tape = tmp_path_factory.mktemp("backlog") / "tape"
    with open_writer(tape, policy=SealPolicy(rows=segment_rows)) as writer:
        lane = Lane(writer, max_bytes)
        batches = []
        for payloads, number in steps:
            lane.write(payloads)
            assert lane.queue.queued_bytes <= max_bytes // 2
            batches += list(lane.taken(number))
        lane.backlog.finish()
        is_over = sum(each.num_rows for each in batches) == len(lane.written)
        assert is_over or not lane.backlog.is_drained(BTC)
        batches += list(lane.taken())
        assert lane.backlog.is_drained(BTC)
        assert lane.queue.queued_bytes == 0
    rows = to_rows(batches)
    assert [row.seq for row in rows] == list(range(len(lane.written)))
    assert [tuple(row[1:]) for row in rows] == [tuple(row) for row in lane.written]
    for batch in batches:
        first, last = batch.column("seq")[0].as_py(), batch.column("seq")[-1].as_py()
        assert first // segment_rows == last // segment_rows


def test_rows_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    """If the journal lost rows that were left in it, the recording ends and no later row is processed."""
    reported: list[Exception] = []
    with open_writer(tmp_path / "tape") as writer:
        lane = Lane(writer, 0)
        lane.backlog = Backlog([BTC], lane.queue, reported.append)
        lane.write(["a" * 50] * 10)
        (journal,) = (tmp_path / "tape").glob("product=*/_journal/*")
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-300] + b"\xff" * 300)
        assert sum(batch.num_rows for batch in lane.taken()) < 10
        assert len(reported) == 1
        lane.write(["b"])
        assert lane.backlog.take(BTC) is None
        lane.backlog.finish()
        assert lane.backlog.is_drained(BTC)
