"""The sink of a recording: segments are sealed as their rows are tallied, and a full disk loses none."""

from contextlib import ExitStack
from pathlib import Path

from orderbook.engine import PlainEngine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.dataflow.running import FirstFailure
from recorder.dataflow.sinks import TapeSink
from recorder.settings import SealPolicy
from recorder.tape.errors import TapeError
from replay.checking.verify import verify
from tests.support.constants import BTC, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import (
    file_size_limit,
    in_batches,
    journals,
    open_writer,
    read_rows,
    segment_lengths,
    to_rows,
)
from tests.support.tapes import snapshot, update


def book_rows(number: int) -> list[Row]:
    """Return the rows of one connection: a snapshot and updates."""
    texts = [snapshot(BTC), *(update(BTC, ("buy", "98", str(size))) for size in range(1, number - 1))]
    rows = [("connected", "{}"), *(("frame", text) for text in texts)]
    return [Row(seq, START + seq * SECOND, 0, kind, text) for seq, (kind, text) in enumerate(rows)]


def run(tape: Path, rows: list[Row], size: int, full_after: int | None = None) -> FirstFailure:
    """Write rows in batches as the flow of a recording does; the disk is full from a row on."""
    failure = FirstFailure(lambda: None)
    engine = PlainEngine()
    state = engine.start(BTC, "exchange")
    with open_writer(tape, policy=SealPolicy(rows=10, seconds=1e9)) as writer:
        sink = TapeSink(writer, {BTC: Tally(DEFAULT_THRESHOLD)}, failure)
        journaled = [piece for part in in_batches(rows, size) for piece in writer.products[BTC].append(part)]
        with ExitStack() as full:
            for piece in journaled:
                state, step = engine.step(state, piece)
                if full_after is not None and to_rows([piece])[0].seq >= full_after:
                    full.enter_context(file_size_limit(1))
                    full_after = None
                sink.add(BTC, step)
            sink.seal_all()
    return failure


def test_segments_are_sealed_as_rows_come(tmp_path: Path) -> None:
    """In batches of any size the segments are the same, sealed to the last row, with digests of a replay."""
    rows = book_rows(37)
    for size in (1, 4, 10, 37):
        tape = tmp_path / str(size)
        assert run(tape, rows, size).error is None
        assert segment_lengths(tape) == [10, 10, 10, 7]
        assert read_rows(tape) == rows
        assert not journals(tape)
        assert not verify(tape).damage


def test_a_segment_that_cannot_be_written_stays_in_the_journal(tmp_path: Path) -> None:
    """After a failure nothing more is sealed, not even at the end; all rows are on the tape, and verified."""
    rows = book_rows(37)
    failure = run(tmp_path / "tape", rows, 4, full_after=20)
    assert isinstance(failure.error, TapeError)
    assert "kept in the journal" in str(failure.error)
    assert sum(segment_lengths(tmp_path / "tape")) < 30
    assert read_rows(tmp_path / "tape") == rows
    assert not verify(tmp_path / "tape").damage
