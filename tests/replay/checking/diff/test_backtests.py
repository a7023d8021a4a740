"""The differences between two RUNs of backtests: lane by lane, the first one named."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import booktape as bt
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH

SWEEP = {"threshold": ("0bps", "2bps")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUN of two settings and products; do not change it."""
    path = tmp_path_factory.mktemp("run") / "run"
    bt.open("sample:").backtest(sweep=SWEEP, end="+12s", output=path, keep=False)
    return path


def changed(run: Path, copy: Path, stream: str, change: str) -> Path:
    """Return a copy of a RUN with one value of the third ETH row of setting 1 changed."""
    shutil.copytree(run, copy)
    (path,) = (copy / stream / f"product={ETH}").glob("*.parquet")
    table = pq.ParquetFile(path).read()
    of_lane = pc.equal(table.column("setting"), 1).to_pylist()
    place = [at for at, is_of_lane in enumerate(of_lane) if is_of_lane][2]
    values = table.column(change).to_pylist()
    values[place] = values[place] * 2
    index = table.column_names.index(change)
    column = pa.array(values, table.schema.types[index])
    pq.write_table(table.set_column(index, table.schema.field(index), column), path)
    return copy


def test_equal_however_it_was_run(run: Path, tmp_path: Path) -> None:
    """A setting beside, or more of the tape's products, make the RUN another one, but not its lanes."""
    alone = tmp_path / "alone"
    bt.open("sample:").backtest(sweep=SWEEP, end="+12s", output=alone, keep=False, products=ETH)
    done = invoke("diff", run, alone, "-p", ETH)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Equal: ")
    found = bt.diff(run, alone)
    assert found.only_a == (BTC,)
    assert not found.is_equal


@pytest.mark.parametrize(
    ("stream", "column", "row"), [("orders", "amends", 3), ("fills", "price", 2), ("equity", "cash", 2)]
)
def test_the_first_difference_is_named(run: Path, tmp_path: Path, stream: str, column: str, row: int) -> None:
    """Stream, lane, row of the lane and column; nothing else differs."""
    other = changed(run, tmp_path / "other", stream, column)
    found = bt.diff(run, other)
    differing = [each for each in found.streams if each.first is not None]
    assert [(each.stream, each.differing) for each in differing] == [(f"{stream} of 1 share", 1)]
    first = differing[0].first
    assert first is not None
    assert first.columns == (column,)
    done = invoke("diff", run, other)
    assert done.exit_code == 1
    name = f"Different: {ETH} {stream} of 1 share first at row {first.seq}: {column}"
    assert done.stdout.splitlines()[0] == name
    assert bt.diff(run, other, ignore=column).is_equal
    if stream == "fills":
        assert first.seq == row


def test_other_latency(run: Path, tmp_path: Path) -> None:
    """The setting that differs is a fact, and the digests say that something happened differently."""
    later = tmp_path / "later"
    bt.open("sample:").backtest(sweep=SWEEP, end="+12s", output=later, keep=False, latency="200ms")
    done = invoke("diff", run, later, "--json")
    document = json.loads(done.stdout)
    assert document["sort"] == "backtests"
    assert document["facts"]["latency"] == ["100ms", "200ms"]
    assert "execution_digest" in document["facts"]
    assert document["products"][ETH]["orders of 0 share"]["first"]["columns"]


def test_runs_that_cannot_be_compared(run: Path, tmp_path: Path) -> None:
    """A RUN of a replay is of another kind; one with rows missing is named."""
    replayed = tmp_path / "replayed"
    bt.open("sample:").replay(end="+1s", output=replayed, keep=False)
    done = invoke("diff", run, replayed)
    assert done.exit_code == 1
    assert "is of a replay and" in done.stderr
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "fills" / f"product={ETH}")
    done = invoke("diff", run, copy)
    assert done.exit_code == 1
    assert "0 rows, but run.json counts" in done.stderr
    assert "not a column of backtests" in invoke("diff", run, run, "--ignore", "seq").stderr
