"""`replay.flow`: the streams of a tape behind which a user puts operators."""

from pathlib import Path

import pyarrow as pa
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.operators import KeyedStream
from bytewax.testing import run_main

import replay
from orderbook.flows import Streams
from recorder.tape.errors import DamagedTapeError, UnknownProductError
from replay.window import Window
from tests.replay import some_strategies, tapes
from tests.replay.tapes import Recording

Batches = dict[str, list[pa.RecordBatch]]


def collected(streams: Streams, name: str, stream: KeyedStream[pa.RecordBatch]) -> Batches:
    """Put a collecting function behind a stream; it fills what is returned while the flow runs."""
    found: Batches = {}
    streams.into(name, stream, lambda product, batch: found.setdefault(product, []).append(batch))
    return found


def table(batches: list[pa.RecordBatch]) -> pa.Table:
    """Return batches of a flow as a table with the columns that a result has."""
    return pa.Table.from_batches(batches).drop_columns(["connection"])


def test_streams_are_those_of_run(recording: Recording) -> None:
    """Summaries and signals of a flow, of a window and of chosen products too, are those of `replay.run`."""
    start = tapes.tape_rows(recording.tape, "BTC-USD")[1000].recv_time
    for products, window in ((), Window()), (("ETH-USD",), Window(start=start)):
        streams = replay.flow(recording.tape, products=products, window=window, batch_rows=100)
        summaries = collected(streams, "summed", streams.summaries())
        signals = collected(streams, "signalled", streams.signals(0.0008))
        rows = collected(streams, "given", streams.strategy(some_strategies.Spreads))
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
        settings = replay.ReplaySettings(products=products, window=window, threshold=0.0008)
        expected = replay.run(recording.tape, settings)
        assert summaries.keys() == signals.keys() == rows.keys() == expected.summaries.keys()
        for product in summaries:
            assert table(summaries[product]).equals(expected.summaries[product])
            assert table(signals[product]).equals(expected.signals[product])
            assert pa.Table.from_batches(rows[product]).num_rows == expected.summaries[product].num_rows


def test_a_paced_flow(short_tape: Path) -> None:
    """A flow with a clock carries the same anomalies and summaries."""
    streams = replay.flow(short_tape, speed=50.0, idle_limit=1.0)
    summaries = collected(streams, "summed", streams.summaries())
    anomalies = collected(streams, "wrong", streams.anomalies())
    run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    expected = replay.run(short_tape).summaries
    assert {product: table(batches) for product, batches in summaries.items()} == expected
    assert not anomalies


def test_a_damaged_tape_ends_the_flow(recording: Recording, tmp_path: Path) -> None:
    """A tape that turns out damaged fails the flow: its streams must not look as if they had ended well."""
    damaged = tapes.copy_of(recording.tape, tmp_path)
    path = tapes.segment_paths(damaged, "BTC-USD")[-1]
    tapes.flip_byte(path, path.stat().st_size // 2)
    streams = replay.flow(damaged)
    collected(streams, "summed", streams.summaries())
    with pytest.raises(BytewaxRuntimeError) as told:
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    assert isinstance(told.value.__cause__, DamagedTapeError)


def test_an_unknown_product(short_tape: Path) -> None:
    """A product that is not on the tape is told before the flow runs."""
    with pytest.raises(UnknownProductError, match="DOGE-USD"):
        replay.flow(short_tape, products=("DOGE-USD",))
