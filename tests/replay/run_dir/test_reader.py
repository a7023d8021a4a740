"""Reading RUN directories: what was written is read again, and damage is an error that names the file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import booktape as bt
from orderbook.errors import BooktapeError
from replay.run_dir.reader import Run
from replay.run_dir.writer import RunError
from replay.running import api as running
from replay.running.settings import ReplaySettings
from tests.support import tapes
from tests.support.constants import BTC


@pytest.fixture(scope="module")
def run(short_tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUN of the short tape in which every summary is a signal; do not change it."""
    path = tmp_path_factory.mktemp("runs") / "run"
    running.run(short_tape, ReplaySettings(threshold=0.0, depth=2), output=path, keep=False)
    return path


def file_of(run: Path, stream: str) -> Path:
    """Return the only file of a stream of BTC-USD."""
    (path,) = (run / stream / f"product={BTC}").glob("*.parquet")
    return path


def read(path: Path, stream: str = "summaries") -> pa.Table:
    """Return all rows of a stream of BTC-USD."""
    return pa.Table.from_batches(Run.open(path).batches(stream, BTC))


def test_everything_is_read(short_tape: Path, run: Path) -> None:
    """A RUN has the products, settings, digest, counts and rows of the replay."""
    opened, result = Run.open(run), running.run(short_tape, ReplaySettings(threshold=0.0, depth=2))
    assert (opened.tape, opened.digest) == (short_tape, result.digest)
    assert set(opened.products) == set(result.tallies)
    assert set(opened.streams) == {"summaries", "signals", "anomalies", "depth"}
    assert opened.settings["depth"] == 2
    assert read(run) == result.summaries[BTC]
    assert read(run, "signals") == result.signals[BTC]
    assert read(run, "depth") == result.depth[BTC]
    for product, tally in result.tallies.items():
        assert opened.counts[product]["summaries"] == opened.counts[product]["depth"] == tally.summaries


COUNTS = {"summaries": 0, "signals": 0, "anomalies": {}}
ESCAPE = {"tape": "t", "digest": "", "settings": {}, "products": {"../x": COUNTS}}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"tape":"t"}', b"\xff", json.dumps(ESCAPE).encode()])
def test_bad_document(tmp_path: Path, text: bytes) -> None:
    """A run.json that no replay wrote is an error that names it."""
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(RunError, match=r"run\.json"):
        Run.open(tmp_path)


def test_missing_file(run: Path, tmp_path: Path) -> None:
    """A missing file for which run.json counts rows is an error that names its directory."""
    path = file_of(shutil.copytree(run, tmp_path / "run"), "signals")
    path.unlink()
    with pytest.raises(RunError, match="missing") as error:
        read(tmp_path / "run", "signals")
    assert str(path.parent) in str(error.value)


@pytest.mark.parametrize("position", [200, -1])
def test_damaged_file(run: Path, tmp_path: Path, position: int) -> None:
    """A damaged file, in its pages or its footer, is an error of one line that names it."""
    path = file_of(shutil.copytree(run, tmp_path / "run"), "summaries")
    tapes.flip_byte(path, position)
    with pytest.raises(BooktapeError) as error:
        read(tmp_path / "run")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["seq"]),
        lambda table: table.drop_columns(["spread"]),
        lambda table: table.take(pa.array([1, 0])),
        lambda table: table.set_column(0, "seq", pa.array([None] * len(table), pa.int64())),
    ],
)
def test_other_columns_or_order(run: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """A file with other columns, or rows out of order, is an error that names it."""
    path = file_of(shutil.copytree(run, tmp_path / "run"), "summaries")
    pq.write_table(change(pq.ParquetFile(path).read()), path)
    with pytest.raises(RunError) as error:
        read(tmp_path / "run")
    assert str(path) in str(error.value)


def test_a_backtest_is_no_replay(tmp_path: Path) -> None:
    """Its RUN has other tables, and another reader."""
    bt.open("sample:").backtest(settings={"threshold": "5bps"}, output=tmp_path / "run", end="+2s")
    with pytest.raises(bt.RunError, match="not written by a replay"):
        Run.open(tmp_path / "run")
