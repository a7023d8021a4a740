"""Own orders and fills on the page: those of the RUN, of the lane and the time that were asked for."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import booktape as bt
from recorder.tape.reader import Tape
from replay.run_dir.backtests import BacktestRun
from replay.run_dir.writer import RunError
from replay.viewing.api import shown
from replay.viewing.own import OwnOrders
from replay.viewing.reading import ViewError
from tests.support.constants import ETH, SAMPLE, SECOND


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUN with two settings and two queue models."""
    path = tmp_path_factory.mktemp("own") / "run"
    bt.open(SAMPLE).backtest(
        products=ETH, queue=("back", "front"), sweep="size=0.01,0.02", end="+60s", output=path
    )
    return path


def test_orders_and_fills_are_those_of_the_run(run: Path) -> None:
    """Each lane has its own, with exact prices; a span has what rested or was filled in it."""
    own = OwnOrders(BacktestRun.open(run), SAMPLE, ETH)
    names = ["setting", "queue", "side", "price"]
    orders, fills = (
        pq.read_table(run / stream, columns=[*names, *more])
        for stream, more in (("orders", ["amends"]), ("fills", []))
    )
    start = Tape.open(SAMPLE).first_time() or 0
    assert len(own.lanes) == 4
    for lane in own.lanes:
        (found,) = own.table(lane, start, start + 60 * SECOND, start).to_pylist()
        expected = [
            each
            for each in fills.to_pylist()
            if (each["setting"], each["queue"]) == (lane.setting, lane.queue)
        ]
        assert expected
        assert found["fills"] == len(expected)
        assert found["fill_price"] == [float(each["price"]) for each in expected]
        assert found["fill_side"] == [each["side"] for each in expected]
        (none,) = own.table(lane, start - 9 * SECOND, start - SECOND, start).to_pylist()
        assert (none["orders"], none["fills"]) == (0, 0)
        total = sum(
            (each["setting"], each["queue"], each["amends"]) == (lane.setting, lane.queue, 0)
            for each in orders.to_pylist()
        )
        assert found["orders"] == total
    assert len(set(own.titles())) == 4


def test_each_of_several_tapes_has_its_own(tmp_path: Path) -> None:
    """On each of two tapes are the orders that were sent on it."""
    other = tmp_path / "other"
    shutil.copytree(SAMPLE, other)
    bt.backtest([SAMPLE, other], products=ETH, end="2026-01-01T00:00:30", output=tmp_path / "run")
    orders = pq.read_table(tmp_path / "run" / "orders", columns=["tape", "amends"]).to_pylist()
    sent = [each["tape"] for each in orders if not each["amends"]]
    start = Tape.open(SAMPLE).first_time() or 0
    found = shown(tmp_path / "run")
    assert [tape.path for tape in found.tapes] == [SAMPLE, other]
    for tape in found.tapes:
        assert found.run is not None
        own = OwnOrders(found.run, tape.path, ETH)
        tables = (own.table(lane, start, start + 60 * SECOND, start) for lane in own.lanes)
        assert sum(table["orders"][0].as_py() for table in tables) == sent.count(str(tape.path)) > 0


def test_a_run_whose_tape_is_gone(run: Path, tmp_path: Path) -> None:
    """The error names the RUN and its tape."""
    text = (run / "run.json").read_text(encoding="utf-8")
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "run.json").write_text(text.replace(str(SAMPLE), str(tmp_path / "gone")), encoding="utf-8")
    with pytest.raises(ViewError, match=r"moved: its tape cannot be shown: .*gone"):
        shown(moved)
    assert shown(run).products == (ETH,)


def test_runs_of_other_commands(tmp_path: Path) -> None:
    """A replay's RUN shows its tape and threshold, a comparison's its tape; a file of others is refused."""
    bt.open(SAMPLE).replay(threshold="2bps", end="+2s", products=ETH, output=tmp_path / "replayed")
    bt.open(SAMPLE).compare("1bps", end="+2s", products=ETH, output=tmp_path / "compared")
    for name, threshold in (("replayed", 0.0002), ("compared", 0.001)):
        found = shown(tmp_path / name)
        assert ([tape.path for tape in found.tapes], found.threshold) == ([SAMPLE], threshold)
        assert found.products == (ETH,)
    (tmp_path / "run.json").write_text('{"tape": 5}', encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json: not written by booktape"):
        shown(tmp_path)
