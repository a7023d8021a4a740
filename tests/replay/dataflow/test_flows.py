"""`replay.flow`: the streams of a tape behind which a user puts operators."""

from pathlib import Path

import pyarrow as pa
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.operators import KeyedStream
from bytewax.testing import run_main

import replay
from orderbook.dataflow.streams import Streams
from recorder.tape.errors import DamagedTapeError, UnknownProductError
from recorder.tape.reader import Tape
from replay.dataflow.sources import paced_source
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support import tapes, user_strategies
from tests.support.tapes import Recording

Batches = dict[str, list[pa.RecordBatch]]


def collected(streams: Streams, name: str, stream: KeyedStream[pa.RecordBatch]) -> Batches:
    """Collect a stream into the returned dictionary while the flow runs."""
    found: Batches = {}
    streams.into(name, stream, lambda product, batch: found.setdefault(product, []).append(batch))
    return found


def table(batches: list[pa.RecordBatch]) -> pa.Table:
    """Return batches of a flow as a table."""
    return pa.Table.from_batches(batches)


def test_streams_are_those_of_run(recording: Recording) -> None:
    """The summaries and signals of a flow are those of `replay.run`, for windows and products too."""
    start = tapes.tape_rows(recording.tape, "BTC-USD")[1000].recv_time
    for products, first in ((), None), (("ETH-USD",), start):
        streams = replay.flow(
            recording.tape, ReplaySettings(products=products, batch_rows=100, window=Window(first))
        )
        summaries = collected(streams, "summed", streams.summaries())
        signals = collected(streams, "signalled", streams.signals(0.0008))
        rows = collected(streams, "given", streams.strategy(user_strategies.Spreads))
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
        expected = replay.run(
            recording.tape, ReplaySettings(products=products, threshold=0.0008, window=Window(first))
        )
        assert summaries.keys() == signals.keys() == rows.keys() == expected.summaries.keys()
        for product in summaries:
            assert table(summaries[product]).equals(expected.summaries[product])
            assert table(signals[product]).equals(expected.signals[product])
            assert pa.Table.from_batches(rows[product]).num_rows == expected.summaries[product].num_rows


def test_a_paced_flow(short_tape: Path) -> None:
    """A flow with a clock carries the same anomalies and summaries."""
    streams = replay.flow(short_tape, ReplaySettings(speed=50.0, idle_limit=1.0))
    summaries = collected(streams, "summed", streams.summaries())
    anomalies = collected(streams, "wrong", streams.anomalies())
    run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    expected = replay.run(short_tape).summaries
    assert {product: table(batches) for product, batches in summaries.items()} == expected
    assert not anomalies


def test_a_damaged_tape_ends_the_flow(recording: Recording, tmp_path: Path) -> None:
    """A damaged tape fails the flow: its streams must not look complete."""
    damaged = tapes.copy_of(recording.tape, tmp_path)
    path = tapes.segment_paths(damaged, "BTC-USD")[-1]
    tapes.flip_byte(path, path.stat().st_size // 2)
    streams = replay.flow(damaged)
    collected(streams, "summed", streams.summaries())
    with pytest.raises(BytewaxRuntimeError) as told:
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    assert isinstance(told.value.__cause__, DamagedTapeError)


def test_an_unknown_product(short_tape: Path) -> None:
    """An unknown product is an error before the flow runs."""
    with pytest.raises(UnknownProductError, match="DOGE-USD"):
        replay.flow(short_tape, ReplaySettings(products=("DOGE-USD",)))


def test_a_resumed_clock(recording: Recording) -> None:
    """A paced run that resumes goes on at once: its clock starts with the first row that is left.

    At this speed the rows before it would take an hour.
    """
    tape = Tape.open(recording.tape)
    settings = ReplaySettings(products=("BTC-USD", "ETH-USD"), speed=0.001)
    source = paced_source(tape, settings)
    resumed = {"BTC-USD": 1500, "ETH-USD": 1000}
    parts = {product: source.build_part("tape", product, seq) for product, seq in resumed.items()}
    first = {product: tapes.tape_rows(recording.tape, product)[seq] for product, seq in resumed.items()}
    earliest = min(first, key=lambda product: first[product].recv_time)
    [(product, rows)] = parts[earliest].next_batch()
    assert (product, rows.column("seq")[0].as_py()) == (earliest, first[earliest].seq)
