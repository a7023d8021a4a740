"""Lanes of a product that are shared out to workers: every result is that of one process."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import booktape as bt
from booktape.examples.compiled_market_making import market_maker
from booktape.examples.market_making import MarketMaker
from orderbook.document import to_json
from orderbook.errors import StepError
from recorder.settings import SealPolicy
from replay.pieces.cutting import ProductPiece
from replay.simulation.results import Backtest
from replay.simulation.sharing import places_of, shares_of
from tests.endurance.forms import cases
from tests.support.commands import running_booktape
from tests.support.constants import BTC, SAMPLE, SECOND, TIMEOUT_S
from tests.support.dask import wait_for
from tests.support.market_truth import true_market
from tests.support.oracle import Row
from tests.support.pieces import PRODUCTS
from tests.support.rows import in_batches, open_writer, write_tape

STREAMS = ("orders", "fills", "resting", "equity", "log")


def rows_of_two_connections() -> list[Row]:
    """Return rows of a market with trades that is interrupted, and another one behind it."""
    first, second = (true_market("level2_batch", seed, batches=70).rows for seed in (5, 6))
    last = first[-1]
    ending = Row(last.seq + 1, last.recv_time + 1, last.connection, "disconnected", "{}")
    later = [
        row._replace(
            seq=row.seq + ending.seq + 1,
            recv_time=row.recv_time + ending.recv_time - second[0].recv_time + SECOND,
            connection=ending.connection + 1,
        )
        for row in second
    ]
    return [*first, ending, *later]


class Noisy(MarketMaker):
    """A market maker that logs each wake."""

    def on_event(self, m: bt.MarketView) -> None:
        """Log, and quote."""
        m.log(position=str(m.position))
        super().on_event(m)


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two tapes with trades, in many segments; the first ends in a journal."""
    directory, policy = tmp_path_factory.mktemp("markets"), SealPolicy(rows=90)
    return [
        write_tape(directory / "first", rows_of_two_connections(), policy=policy, seal=False),
        write_tape(directory / "second", true_market("level2", 8, batches=60).rows, policy=policy),
    ]


class Records:
    """A strategy that notes each change of the book, and does no more."""

    wakes = bt.Wakes(book=True)

    def __init__(self, _product: str, number: int) -> None:
        self.number = number

    def on_event(self, m: bt.MarketView) -> None:
        """Log."""
        m.log(number=self.number)


class LocalCluster:
    """A cluster engine in this process: a task is its result.

    Args:
        width: as many tasks at once as it says that it runs.
        before: called before each piece.
    """

    def __init__(self, width: int, before: Callable[[], object] = lambda: None) -> None:
        self.width, self.pieces = width, 0
        self._before = before

    def map(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run each call."""
        found = []
        for call in calls:
            if isinstance(call[-1], ProductPiece):
                self._before()
                self.pieces += 1
            found.append(function(*call))
        return found

    def results(self, tasks: Sequence[Any]) -> list[Any]:
        """Return the results."""
        return list(tasks)

    def cancel(self, tasks: Sequence[Any]) -> None:
        """Nothing is left to give up."""


@given(
    sizes=st.lists(st.integers(0, 1000), min_size=1, max_size=5),
    lanes=st.integers(1, 300),
    workers=st.integers(1, 70),
    least=st.sampled_from((1, 6, 100)),
)
def test_every_lane_is_in_one_share(sizes: list[int], lanes: int, workers: int, least: int) -> None:
    """No share has too few lanes, and there are no more than give each worker its part."""
    found = shares_of(sizes, lanes, workers, least)
    for shares in found:
        assert [place for share in shares for place in share] == list(range(lanes))
        assert sorted(place for share in shares for place in places_of(share, lanes)) == list(range(lanes))
        assert len(shares) == 1 or min(map(len, shares)) >= least
    assert sum(map(len, found)) < len(sizes) + workers
    if len(sizes) == 1 and sizes[0]:
        assert len(found[0]) == max(1, min(workers, lanes // least))
        assert max(map(len, found[0])) - min(map(len, found[0])) <= 1


@pytest.mark.parametrize("inner", [1, 2, 3, 5, 8, 10])
@pytest.mark.parametrize("workers", [2, 3, 4, 8])
def test_a_share_has_lanes_from_everywhere(inner: int, workers: int) -> None:
    """Lanes that cost by their place in a sweep, or in the inner one of two, are shared out evenly."""
    for cost in (lambda place: max(40 - place, 0), lambda place: place % inner == 0):
        (shares,) = shares_of([1], 240, workers, 1)
        costs = [sum(map(cost, places_of(share, 240))) for share in shares]
        assert max(costs) <= 1.35 * sum(costs) / workers


def assert_equal(shared: Backtest, alone: Backtest) -> None:
    """Assert that two results are equal in every number and row, and in their order."""
    assert to_json({**shared.document(), "elapsed_s": 0}) == to_json({**alone.document(), "elapsed_s": 0})
    assert (shared.rows, shared.parts, shared.tapes) == (alone.rows, alone.parts, alone.tapes)
    assert shared.csv() == alone.csv()
    for stream in STREAMS:
        tables = [getattr(each, stream) for each in (shared, alone)]
        assert tables[0] == tables[1], stream


def rows_in_files(run: Path) -> dict[str, pa.Table]:
    """Return the rows of each stream and product of a RUN in the order of its files."""
    assert not list(run.glob("_*"))
    return {
        str(folder.relative_to(run)): pa.concat_tables(map(pq.read_table, sorted(folder.iterdir())))
        for folder in sorted(run.glob("*/product=*"))
    }


@settings(max_examples=cases(60, 6))
@given(data=st.data())
def test_shared_lanes_change_nothing(tapes: list[Path], data: st.DataObject) -> None:
    """Any number of workers and lanes, one tape or two, kept or written: all is that of one process."""
    chosen = data.draw(st.sampled_from([tapes[:1], tapes]))
    width = data.draw(st.integers(2, 6))
    spreads = data.draw(st.lists(st.sampled_from(["0.2bps", "1bps", "2bps"]), min_size=1, unique=True))
    options: dict[str, Any] = {
        "sweep": {"half_spread": spreads, "skew": data.draw(st.sampled_from([["0.5"], ["0", "1"]]))},
        "queue": data.draw(st.sampled_from(["share", ("back", "share", "front")])),
        "engine": data.draw(st.sampled_from(["plain", "compiled"])),
        "start": data.draw(st.sampled_from([None, "2026-08-09T21:05:50Z"])),
        "by": data.draw(st.sampled_from([None, "connection"])),
        "latency": data.draw(st.sampled_from(["10ms", ("0", "uniform:1ms:30ms")])),
        "products": BTC,
        "keep": data.draw(st.booleans()),
    }
    runs = [tapes[0].parent / name for name in ("alone", "shared")]
    alone, shared = (
        bt.backtest(chosen, Noisy, output=run, client=client, **options)
        for run, client in zip(runs, (None, LocalCluster(width)), strict=True)
    )
    assert_equal(shared, alone)
    files = list(map(rows_in_files, runs))
    assert files[0] == files[1]
    if len(chosen) == 1:
        names = [sorted(str(path.relative_to(run)) for path in run.rglob("*")) for run in runs]
        assert names[0] == names[1]
    for run in runs:
        shutil.rmtree(run)


def test_many_lanes_of_the_plain_engine(tapes: list[Path]) -> None:
    """It takes fewer rows at once the more lanes there are, and gives rows in the order of all of them."""
    alone, shared = (
        bt.open(tapes[1]).backtest(
            Records, sweep={"number": range(260)}, engine="plain", equity_every="1m", client=client
        )
        for client in (None, LocalCluster(2))
    )
    assert_equal(shared, alone)


@pytest.mark.parametrize(
    ("strategy", "sweep", "products", "pieces"),
    [
        (MarketMaker, {"half_spread": ("1bps", "4bps")}, PRODUCTS, 5),
        (market_maker, {"half_spread": [f"{number}bps" for number in range(1, 9)]}, PRODUCTS, 5),
        (None, {"threshold": [f"{number}bps" for number in range(105)]}, PRODUCTS[1:2], 2),
        (None, {"threshold": [f"{number}bps" for number in range(95)]}, PRODUCTS[1:2], 1),
    ],
)
def test_a_capture(
    interrupted: dict[str, Path],
    tmp_path: Path,
    strategy: Any,
    sweep: dict[str, Any],
    products: Sequence[str],
    pieces: int,
) -> None:
    """Of a real capture with interruptions, one product or several, and each kind of strategy."""
    cluster = LocalCluster(4)
    options: dict[str, Any] = {"sweep": sweep, "queue": ("back", "share"), "equity_every": "1m"}
    tape = bt.open(interrupted["as recorded"])
    alone, shared = (
        tape.backtest(
            strategy, products=products, output=tmp_path / name, client=client, engine="compiled", **options
        )
        for name, client in (("alone", None), ("shared", cluster))
    )
    assert_equal(shared, alone)
    assert cluster.pieces == pieces
    assert sum(row.orders for row in alone.rows) > 0
    assert rows_in_files(tmp_path / "alone") == rows_in_files(tmp_path / "shared")


def test_a_tape_that_grows(tmp_path: Path) -> None:
    """What is recorded after the start is in no share, also if it is sealed meanwhile."""
    rows = rows_of_two_connections()
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=90)) as writer:

        def grow() -> None:
            writer.products[BTC].append(next(later))

        batches = in_batches(rows, 30)
        writer.products[BTC].append(next(batches))
        later = iter(batches)
        options: dict[str, Any] = {"sweep": {"half_spread": ("1bps", "2bps", "4bps")}}
        alone = bt.open(tmp_path / "tape").backtest(MarketMaker, **options)
        shared = bt.open(tmp_path / "tape").backtest(MarketMaker, client=LocalCluster(3, grow), **options)
    assert_equal(shared, alone)


def test_a_tape_that_is_another(tapes: list[Path], tmp_path: Path) -> None:
    """If the shares read different rows, one line says so, and no RUN is left."""
    tape = Path(shutil.copytree(tapes[0], tmp_path / "tape"))

    def replace_tape() -> None:
        if cluster.pieces:
            shutil.rmtree(tape)
            shutil.copytree(tapes[1], tape)

    cluster = LocalCluster(2, replace_tape)
    with pytest.raises(StepError, match="BTC-USD: the processes that shared its lanes read different rows"):
        bt.open(tape).backtest(
            MarketMaker, sweep={"skew": ("0", "1")}, client=cluster, output=tmp_path / "run", keep=False
        )
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "died"), (signal.SIGTERM, "interrupted")])
def test_a_share_that_is_lost(tmp_path: Path, number: signal.Signals, said: str) -> None:
    """If a process is killed while another has written its share, or all are stopped, nothing is left."""
    mark = tmp_path / "mark"
    words = ("--strategy", "tests.support.user_strategies:Waits", "--sweep", "number=0,1")
    options = ("-p", BTC, "--set", f"mark={mark}", "--processes", 2, "-o", tmp_path / "run")

    def is_written() -> bool:
        return bool(list(tmp_path.glob("_run.*/_shares/*/orders.arrow"))) and mark.exists()

    with running_booktape("backtest", SAMPLE, *words, *options) as process:
        wait_for(lambda: process.poll() is not None or (is_written() and mark.read_text()))
        assert process.poll() is None
        os.kill(int(mark.read_text()) if number == signal.SIGKILL else process.pid, number)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stdout, stderr.count("\n")) == (1, "", 1)
    assert said in stderr
    assert list(tmp_path.iterdir()) == [mark]
