"""`replay --depth`: the best levels a side after every summary, in tables and in RUN/depth."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orderbook.depth import depth_schema
from orderbook.schema import CONNECTION
from replay.running import api as running
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support import tapes
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC, ETH, MS
from tests.support.depth_oracle import depth_rows
from tests.support.tapes import Recording, tuples_of


def levels_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of a table of depth without their connection."""
    return tuples_of(table.drop_columns(CONNECTION.name))


@pytest.mark.parametrize("keep", [True, False])
def test_every_table_ends_with_the_connection(recording: Recording, tmp_path: Path, keep: bool) -> None:
    """In Python and in files, so that a difference across an interruption can be told from a move."""
    run = tmp_path / "run"
    settings = ReplaySettings(depth=2, threshold=0.0)
    result = running.run(recording.tape, settings, output=run, keep=keep)
    rows = {row.seq: row.connection for row in tapes.tape_rows(recording.tape, BTC)}
    kept = {"summaries": result.summaries, "signals": result.signals, "depth": result.depth}
    for stream, found in kept.items():
        table = (
            found[BTC] if keep else pq.ParquetFile(next((run / stream / f"product={BTC}").iterdir())).read()
        )
        assert table.column_names[-1] == "connection"
        assert len(set(table["connection"].to_pylist())) > 1
        assert table["connection"].to_pylist() == [rows[seq] for seq in table["seq"].to_pylist()]


@pytest.mark.parametrize("batch_rows", [11, 8192])
def test_tables(recording: Recording, batch_rows: int) -> None:
    """In any batches, the tables are the oracle's levels after every reported summary."""
    start = tapes.tape_rows(recording.tape, ETH)[-600].recv_time
    result = running.run(
        recording.tape, ReplaySettings(products=(ETH,), batch_rows=batch_rows, depth=4, window=Window(start))
    )
    expected = depth_rows(tapes.tape_rows(recording.tape, ETH), ETH, "exchange", 4)
    assert levels_of(result.depth[ETH]) == [each for each in expected if each[1] >= start]
    for name in ("seq", "connection"):
        assert result.depth[ETH][name].equals(result.summaries[ETH][name])
    assert result.document()["settings"]["depth"] == 4  # type: ignore[index]  # a document is plain objects


def test_run_directory(recording: Recording, tmp_path: Path) -> None:
    """RUN/depth holds a row for every summary, in the same order, and reads as a data set."""
    run = tmp_path / "run"
    document = json_of("replay", recording.tape, "-o", run, "--depth", "3")
    assert document["settings"]["depth"] == 3
    for product in (BTC, ETH):
        (path,) = (run / "depth" / f"product={product}").glob("*.parquet")
        file = pq.ParquetFile(path)
        assert file.schema_arrow.equals(depth_schema(3).append(CONNECTION))
        expected = depth_rows(tapes.tape_rows(recording.tape, product), product, "exchange", 3)
        assert levels_of(file.read()) == expected
        assert len(expected) == document["products"][product]["summaries"]
    assert set(pq.read_table(run / "depth")["product"].to_pylist()) == {BTC, ETH}


def test_sides_with_fewer_levels(tmp_path: Path) -> None:
    """A side with fewer levels ends in nulls; an empty side has nothing else."""
    frames = [
        (0, tapes.snapshot(BTC, [("99", "1"), ("98.5", "0.25")], [("100", "1")])),
        (MS, tapes.update(BTC, ("sell", "100", "0"))),
    ]
    result = running.run(tapes.import_frames(tmp_path, frames), ReplaySettings(depth=3))
    assert [each[2:] for each in levels_of(result.depth[BTC])] == [
        (99.0, 1.0, 100.0, 1.0, 98.5, 0.25, None, None, None, None, None, None),
        (99.0, 1.0, None, None, 98.5, 0.25, None, None, None, None, None, None),
    ]


def test_no_summaries(tmp_path: Path) -> None:
    """A product without a summary has an empty table with the same columns."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.update(BTC))])
    result = running.run(tape, ReplaySettings(depth=2))
    assert result.depth[BTC].schema == depth_schema(2).append(CONNECTION)
    assert result.depth[BTC].num_rows == 0


def test_unasked(recording: Recording, tmp_path: Path) -> None:
    """Without --depth there are no tables and no RUN/depth."""
    result = running.run(recording.tape, ReplaySettings(products=(BTC,)), output=tmp_path / "run")
    assert result.depth == {}
    assert not (tmp_path / "run" / "depth").exists()
    assert result.document()["settings"]["depth"] is None  # type: ignore[index]  # a document is plain objects


@pytest.mark.parametrize(
    ("options", "word"), [(["--depth", "3"], "-o"), (["--depth", "0", "-o", "run"], "from 1 to")]
)
def test_usage(recording: Recording, options: list[str], word: str) -> None:
    """--depth without -o, or of 0 levels, is a usage error."""
    done = invoke("replay", recording.tape, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--depth" in done.stderr
    assert word in done.stderr


@pytest.mark.parametrize(
    ("name", "product"), [("exchange-2021-04-ten-products", "YFI-BTC"), ("advanced-2026-08-btc-eth", ETH)]
)
def test_real_capture(import_capture: Callable[[str], Path], name: str, product: str) -> None:
    """The levels of real books of either feed are the oracle's."""
    tape = import_capture(name)
    result = running.run(tape, ReplaySettings(products=(product,), depth=10))
    expected = depth_rows(tapes.tape_rows(tape, product), product, tapes.feed_of(tape), 10)
    assert expected
    assert levels_of(result.depth[product]) == expected
