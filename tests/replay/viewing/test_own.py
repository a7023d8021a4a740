"""Own orders and fills on the page: those of the RUN, of the lane and the time that were asked for."""

import shutil
from math import isnan
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import booktape as bt
from recorder.tape.reader import Tape
from replay.run_dir.backtests import BacktestRun
from replay.run_dir.writer import RunError
from replay.viewing import library as viewed
from replay.viewing.api import shown
from replay.viewing.own import OwnOrders
from replay.viewing.reading import ViewError
from replay.viewing.server import ViewServer, running
from tests.support.browser import Page
from tests.support.commands import invoke
from tests.support.constants import ETH, SAMPLE, SECOND
from tests.support.rows import integers

CELLS: Final = (
    "[...document.querySelectorAll('#resting tbody tr')]"
    ".map(row => [...row.cells].map(cell => cell.textContent))"
)


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
    resting, fills = (
        pq.read_table(run / stream, columns=[*names, *more])
        for stream, more in (("resting", ["number", "rested", "until"]), ("fills", []))
    )
    assert own.missing() == ""
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
        assert (none["rest_number"], none["fills"]) == ([], 0)
        of_lane = resting.filter((pc.field("setting") == lane.setting) & (pc.field("queue") == lane.queue))
        times = (of_lane.column(name).cast(pa.int64()).to_pylist() for name in ("rested", "until"))
        lines = zip(
            of_lane.column("number").to_pylist(),
            map(float, of_lane.column("price").to_pylist()),
            *([time - start for time in each] for each in times),
            strict=True,
        )
        drawn = zip(*(found[f"rest_{name}"] for name in ("number", "low", "start", "end")), strict=True)
        assert sorted(drawn) == sorted(lines)
        assert found["rest_low"] == found["rest_high"]
    assert len(set(own.titles())) == 4


def test_a_run_of_an_earlier_version(run: Path, tmp_path: Path) -> None:
    """Orders that never moved have their lines; one sentence says how many others are missing, and why."""
    old = tmp_path / "old"
    shutil.copytree(run, old)
    shutil.rmtree(old / "resting")
    own = OwnOrders(BacktestRun.open(old), SAMPLE, ETH)
    orders = pq.read_table(old / "orders", columns=["setting", "queue", "number", "amends", "rested"])
    moved = orders.filter(pc.field("amends") > 0).num_rows
    assert moved > 0
    assert own.missing().startswith(f"{moved} orders that moved by amends have no line: ")
    start = Tape.open(SAMPLE).first_time() or 0
    unmoved = orders.filter((pc.field("amends") == 0) & pc.field("rested").is_valid())
    for lane in own.lanes:
        (found,) = own.table(lane, start, start + 60 * SECOND, start).to_pylist()
        of_lane = unmoved.filter((pc.field("setting") == lane.setting) & (pc.field("queue") == lane.queue))
        assert sorted(found["rest_number"]) == sorted(of_lane.column("number").to_pylist())
        assert all(isnan(each) for each in found["rest_share_until"])
    done = invoke("diff", run, old)
    assert done.stdout.startswith("Equal: ")
    assert "resting" not in done.stdout


def test_the_page_shows_what_rests(run: Path, page: Page, tmp_path: Path) -> None:
    """At a row of the tape the orders that rest are those of the RUN; one line says what an old RUN lacks."""
    lane = (0, "front")
    rows = [
        each for each in integers(pq.read_table(run / "resting")) if (each["setting"], each["queue"]) == lane
    ]
    tape = bt.open(SAMPLE).rows(ETH, start="+20s", end="+60s")
    times = tape.column("recv_time").cast(pa.int64()).to_pylist()
    longest = max(rows, key=lambda row: min(row["until"], times[-1]) - max(row["rested"], times[0]))
    place = next(place for place, time in enumerate(times) if time > longest["rested"])
    resting = {
        f"{each['price']:,.2f} {each['side']}"
        for each in rows
        if each["rested"] <= times[place] < each["until"]
    }
    seq = tape.column("seq")[place].as_py()
    old = tmp_path / "old"
    shutil.copytree(run, old)
    shutil.rmtree(old / "resting")
    for path in (run, old):
        what = shown(path)
        library = viewed.Library(what.tapes, what.run, 0.001, "plain", what.products)
        with ViewServer(library) as server, running(server):
            page.visit(f"{server.url}?product={ETH}&seq={seq}&lane=1&span=10", width=1400)
            page.until(f"document.documentElement.dataset.seq === '{seq}'")
            if path == run:
                page.until("document.querySelectorAll('#resting tbody tr').length > 0")
                assert {f"{row[0]} {row[2]}" for row in page.value(CELLS)} == resting
            said = page.value("document.getElementById('status').textContent")
            assert ("an earlier version wrote this RUN" in said) == (path == old)
        assert page.complaints == []


def test_each_of_several_tapes_has_its_own(tmp_path: Path) -> None:
    """On each of two tapes are the orders that were sent on it."""
    other = tmp_path / "other"
    shutil.copytree(SAMPLE, other)
    bt.backtest([SAMPLE, other], products=ETH, end="2026-01-01T00:00:30", output=tmp_path / "run")
    rested = pq.read_table(tmp_path / "run" / "resting", columns=["tape"]).column("tape").to_pylist()
    start = Tape.open(SAMPLE).first_time() or 0
    found = shown(tmp_path / "run")
    assert [tape.path for tape in found.tapes] == [SAMPLE, other]
    for tape in found.tapes:
        assert found.run is not None
        own = OwnOrders(found.run, tape.path, ETH)
        tables = (own.table(lane, start, start + 60 * SECOND, start) for lane in own.lanes)
        drawn = sum(len(table["rest_number"][0].as_py()) for table in tables)
        assert drawn == rested.count(str(tape.path)) > 0


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
