"""`replay --depth`: the best levels a side after every summary, in tables and in RUN/depth."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orderbook.depth import depth_schema
from replay import running
from replay.replayed import ReplaySettings
from replay.window import Window
from tests.ladders import ladders, ladders_of
from tests.replay import tapes
from tests.replay.tapes import MS, Recording

BTC, ETH = "BTC-USD", "ETH-USD"


@pytest.mark.parametrize("batch_rows", [11, 8192])
def test_tables(recording: Recording, batch_rows: int) -> None:
    """Whatever the batches, the tables are the oracle's levels of every summary that is reported."""
    start = tapes.tape_rows(recording.tape, ETH)[-600].recv_time
    settings = ReplaySettings((ETH,), window=Window(start), batch_rows=batch_rows, depth=4)
    result = running.run(recording.tape, settings)
    expected = ladders(tapes.tape_rows(recording.tape, ETH), ETH, "exchange", 4)
    assert ladders_of(result.depth[ETH]) == [each for each in expected if each[1] >= start]
    assert result.depth[ETH]["seq"].equals(result.summaries[ETH]["seq"])
    assert result.document()["settings"]["depth"] == 4  # type: ignore[index]  # a document is plain objects


def test_run_directory(recording: Recording, tmp_path: Path) -> None:
    """RUN/depth holds a row for every summary, in the same order, and reads as a data set."""
    run = tmp_path / "run"
    document = tapes.json_of("replay", recording.tape, "-o", run, "--depth", "3")
    assert document["settings"]["depth"] == 3
    for product in (BTC, ETH):
        (path,) = (run / "depth" / f"product={product}").glob("*.parquet")
        file = pq.ParquetFile(path)
        assert file.schema_arrow.equals(depth_schema(3))
        expected = ladders(tapes.tape_rows(recording.tape, product), product, "exchange", 3)
        assert ladders_of(file.read()) == expected
        assert len(expected) == document["products"][product]["summaries"]
    assert set(pq.read_table(run / "depth")["product"].to_pylist()) == {BTC, ETH}


def test_sides_shorter_than_asked(tmp_path: Path) -> None:
    """A side with fewer levels ends in nulls, an empty one holds nothing else."""
    frames = [
        (0, tapes.snapshot(BTC, [("99", "1"), ("98.5", "0.25")], [("100", "1")])),
        (MS, tapes.update(BTC, ("sell", "100", "0"))),
    ]
    result = running.run(tapes.import_frames(tmp_path, frames), ReplaySettings(depth=3))
    assert [each[2:] for each in ladders_of(result.depth[BTC])] == [
        (99.0, 1.0, 100.0, 1.0, 98.5, 0.25, None, None, None, None, None, None),
        (99.0, 1.0, None, None, 98.5, 0.25, None, None, None, None, None, None),
    ]


def test_no_summaries(tmp_path: Path) -> None:
    """A product without a summary has an empty table of the same columns."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.update(BTC))])
    result = running.run(tape, ReplaySettings(depth=2))
    assert result.depth[BTC].schema == depth_schema(2)
    assert result.depth[BTC].num_rows == 0


def test_unasked(recording: Recording, tmp_path: Path) -> None:
    """Without --depth there are no tables and no RUN/depth."""
    result = running.run(recording.tape, ReplaySettings((BTC,)), output=tmp_path / "run")
    assert result.depth == {}
    assert not (tmp_path / "run" / "depth").exists()
    assert result.document()["settings"]["depth"] is None  # type: ignore[index]  # a document is plain objects


@pytest.mark.parametrize(
    ("options", "word"), [(["--depth", "3"], "-o"), (["--depth", "0", "-o", "run"], "1<=x")]
)
def test_usage(recording: Recording, options: list[str], word: str) -> None:
    """--depth without -o has nowhere to go, and no level is no depth: wrong usage."""
    done = tapes.command("replay", recording.tape, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--depth" in done.stderr
    assert word in done.stderr


@pytest.mark.parametrize(
    ("name", "product"), [("exchange-2021-04-ten-products", "YFI-BTC"), ("advanced-2026-08-btc-eth", ETH)]
)
def test_real_capture(import_capture: Callable[[str], Path], name: str, product: str) -> None:
    """The levels of real books of either feed are the oracle's."""
    tape = import_capture(name)
    result = running.run(tape, ReplaySettings((product,), depth=10))
    expected = ladders(tapes.tape_rows(tape, product), product, tapes.feed_of(tape), 10)
    assert expected
    assert ladders_of(result.depth[product]) == expected
