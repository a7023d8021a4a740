"""Paper trading: behind a live feed the same happens to the orders as in a backtest of its rows."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import booktape as bt
from booktape.feed_arguments import paper_settings
from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes
from orderbook.strategy import StrategyError
from recorder.api import record
from recorder.results import Recorded
from recorder.settings import EngineName
from recorder.tape.format.executions import read_executions
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position
from replay.checking.verify import verify
from replay.simulation.paper import PaperRun
from replay.simulation.results import Backtest
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import end, invoke, running_booktape
from tests.support.constants import BTC, ETH, TIMEOUT_S
from tests.support.recordings import quick_settings

WORKED = "booktape.strategies:QuoteWhenWide"
MARKETS = [MarketSettings(BTC, depth=20), MarketSettings(ETH, mid="1800.00", tick="0.01", depth=20)]
ENDING = ExchangeSettings(rate=3000.0, frames=120, drop_after=(90, 90, 120, 120), heartbeats=False)
SETTINGS = {"threshold": "0bps", "size": "0.5", "limit": 5}
RANDOM = bt.Execution(fees="1/2", latency="uniform:1ms:20ms", seed=7, queue="back,share,front")
NAMES = ("execution_digest", "digest", "settings", "rows", "fees", "latency", "seed")


class Lifts:
    """Buys a little after each trade, and says so."""

    wakes = Wakes(trades=True)

    def __init__(self, product: str, size: str = "0.01", fails_at: int = 0) -> None:
        self.product = product
        self.size = size
        self.left = fails_at

    def on_event(self, m: MarketView) -> None:
        """Buy."""
        self.left -= 1
        if self.left == 0 and self.product == ETH:
            raise ValueError("this one fails\non purpose")
        m.market("bid", self.size)
        m.log(trades=len(m.trades))


def paper(
    strategy: Any = WORKED,
    settings: dict[str, Any] | None = None,
    execution: bt.Execution = RANDOM,
    write: Callable[[str, pa.RecordBatch], None] = lambda _product, _rows: None,
) -> PaperRun:
    """Return a run of a strategy on both products."""
    found = paper_settings(strategy, SETTINGS if settings is None else settings, execution, (BTC, ETH))
    assert found is not None
    return PaperRun(found, write)


def recorded_with(
    run: PaperRun, tape: Path, exchange: ExchangeSettings = ENDING, engine: EngineName = "plain"
) -> Recorded:
    """Record until two connections of each product have ended, in segments of 60 rows."""
    with SyntheticExchange(MARKETS, exchange) as served:
        settings = quick_settings(exchange.feed, served.url, connections=2, trades=True)
        settings = replace(settings, seal=replace(settings.seal, rows=60), engine=engine)
        return record([BTC, ETH], tape, settings, strategy=run)


def backtest(tape: Path, **options: Any) -> Backtest:
    """Return the backtest of the worked strategy with the same options."""
    given = {name: getattr(RANDOM, name) for name in ("fees", "latency", "seed", "queue")}
    return bt.open(tape).backtest(WORKED, settings=SETTINGS, **(given | options))


def test_a_compiled_strategy_live_is_its_replay(tmp_path: Path) -> None:
    """Behind a feed it runs in Python; the compiled exchange gives the same orders of the same rows."""
    strategy = "booktape.examples.compiled_market_making:market_maker"
    settings = {"half_spread": "0.5bps", "size": "0.5", "limit": "5"}
    run = paper(strategy, settings)
    recorded_with(run, tmp_path / "tape")
    assert run.failure is None
    given = {name: getattr(RANDOM, name) for name in ("fees", "latency", "seed", "queue")}
    replayed = bt.open(tmp_path / "tape").backtest(strategy, settings=settings, engine="compiled", **given)
    assert run.execution_digest == replayed.execution_digest
    assert sum(row.fills for row in replayed.rows) > 0


@pytest.mark.parametrize(("feed", "engine"), [("exchange", "compiled"), ("advanced", "plain")])
def test_live_is_replay(tmp_path: Path, feed: str, engine: EngineName) -> None:
    """Over interruptions and sockets: the digests and all numbers of every lane, and each event."""
    tape, events = tmp_path / "tape", list[tuple[str, pa.RecordBatch]]()
    run = paper(write=lambda *item: events.append(item))
    if engine == "compiled":
        pytest.importorskip("numba")
    document = recorded_with(run, tape, replace(ENDING, feed=feed), engine).document()
    assert document["engine"] == engine
    assert run.failure is None
    expected = backtest(tape)
    live = document["execution"]
    assert isinstance(live, dict)
    assert {name: live[name] for name in NAMES} == {name: expected.document()[name] for name in NAMES}
    assert document["execution_digest"] == expected.execution_digest
    told = Counter(
        (product, queue, kind)
        for product, batch in events
        for queue, kind in zip(batch["queue"].to_pylist(), batch["event"].to_pylist(), strict=True)
    )
    assert len(expected.rows) == 6
    assert sum(row.fills for row in expected.rows) > 6
    for row in expected.rows:
        assert told[row.product, row.queue, "fill"] == row.fills
    assert verify(tape).passes(strict=True)


def test_it_goes_on_after_kill_9(tmp_path: Path) -> None:
    """The next recording runs it over what is there, and ends with the digest of a backtest of the whole."""
    tape = tmp_path / "tape"
    options = ["--strategy", WORKED, *(f"--set={name}={value}" for name, value in SETTINGS.items())]
    options += ["--fees=1/2", "--latency=uniform:1ms:20ms", "--seed=7", "--queue=back,share,front"]
    noted = tape / f"product={BTC}" / "_executions.jsonl"
    with (
        SyntheticExchange(MARKETS, ExchangeSettings(rate=2000.0)) as exchange,
        running_booktape(
            "record", BTC, ETH, "-o", tape, "--url", exchange.url, "--segment-rows=100", *options
        ) as process,
    ):
        exchange.wait_until(lambda: noted.exists() and b"checkpoint" in noted.read_bytes(), TIMEOUT_S)
        process.kill()
    before = read_executions(tape / f"product={BTC}")
    document = recorded_with(paper(), tape).document()
    expected = backtest(tape)
    assert document["execution_digest"] == expected.execution_digest
    (traded,) = read_executions(tape / f"product={BTC}")
    assert traded.session == before[0].session
    assert len(traded.checkpoints) > len(before[0].checkpoints)
    assert {row.product for row in expected.rows} == {BTC, ETH}


def test_another_setting_starts_flat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other settings begin with the next row; a strategy whose code has changed is told from its orders."""
    tape = tmp_path / "tape"
    recorded_with(paper(Lifts, {}), tape)
    rows = {product: sum(1 for _ in bt.open(tape).rows(product)["seq"]) for product in (BTC, ETH)}
    document = recorded_with(paper(Lifts, {"size": "0.02"}), tape).document()
    start = min(
        bt.open(tape).rows(product)["recv_time"].slice(rows[product])[0].value for product in (BTC, ETH)
    )
    given = {name: getattr(RANDOM, name) for name in ("fees", "latency", "seed", "queue")}
    expected = bt.open(tape).backtest(Lifts, settings={"size": "0.02"}, start=start, **given)
    assert document["execution_digest"] == expected.execution_digest
    assert [each.session.first_seq for each in read_executions(tape / f"product={ETH}")] == [0, rows[ETH]]
    monkeypatch.setattr(Lifts, "wakes", Wakes(top=True))
    assert "has changed since" not in caplog.text
    recorded_with(paper(Lifts, {"size": "0.02"}), tape)
    assert caplog.text.count("has changed since") == 2


def test_a_failure_stops_one_product(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The recording and the other product's lanes go on; there is no result, and the reason is one line."""
    tape, events = tmp_path / "tape", list[tuple[str, pa.RecordBatch]]()
    run = paper(Lifts, {"fails_at": 3}, write=lambda *item: events.append(item))
    recorded = recorded_with(run, tape)
    assert str(run.failure).startswith(f"strategy {__name__}:Lifts, fails_at=3, {ETH}, row ")
    assert "ValueError: this one fails" in str(run.failure)
    assert f"{run.failure}; the recording goes on without it" in caplog.text
    assert (recorded.document()["execution"], recorded.document()["execution_digest"]) == (None, None)
    assert verify(tape).passes(strict=True)
    last = {product: batch["seq"].to_pylist()[-1] for product, batch in events}
    assert last[BTC] > last[ETH] + 50
    logged = [text for _, batch in events for text in batch["values"].to_pylist() if text]
    assert logged
    assert all(json.loads(text)["trades"] > 0 for text in logged)


def test_a_stop_while_it_catches_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has no result then, and says so; what is noted on the tape stays as it was."""
    tape = tmp_path / "tape"
    recorded_with(paper(), tape)
    noted = (tape / f"product={BTC}" / "_executions.jsonl").read_bytes()
    run, stored = paper(), Tape.open(tape)
    ends = {
        product: Position(sum(each.rows for each in stored.product(product).segments()))
        for product in (BTC, ETH)
    }
    run.begin("exchange", ends, stored)
    run.catch_up(lambda: True)
    run.finish()
    assert run.execution is None
    assert run.failure is None
    assert run.line() == f"Strategy {WORKED}: no result"
    assert "stopped while it was run over the tape again" in caplog.text
    assert (tape / f"product={BTC}" / "_executions.jsonl").read_bytes() == noted


def test_live_prints_events() -> None:
    """`live` subscribes to trades too, and prints what happens to the orders as it happens."""
    with SyntheticExchange(MARKETS[:1], ExchangeSettings(rate=2000.0)) as exchange:
        arguments = ("live", BTC, "--url", exchange.url, "--strategy", f"{__name__}:Lifts", "--latency=0")
        with running_booktape(*arguments) as process:
            assert process.stdout is not None
            lines = [json.loads(process.stdout.readline())]
            while not {"log", "fill"} <= {line["event"] for line in lines}:
                lines.append(json.loads(process.stdout.readline()))
            stdout, stderr = end(process)
    assert all(line["liquidity"] == "taker" for line in lines if line["event"] == "fill")
    # readline() has read on, so the first line here may have lost its beginning.
    assert all(line.startswith("{") for line in stdout.splitlines()[1:])
    assert "the live feed: strategy " in stderr
    assert "Execution digest " in stderr


def test_what_is_refused(tmp_path: Path) -> None:
    """One line that names the option, exit code 2, and no tape."""
    rows = "booktape.examples.episode_alert:EpisodeAlert"
    for options, told in (
        (["--strategy", rows, "--set", "size=1"], "'--set': only with a strategy that trades"),
        (["--fees", "1/2"], "'--fees': only with a strategy that trades"),
        (["--strategy", WORKED, "--set", "sise=1"], "its settings are "),
        (["--strategy", WORKED, "--latency", "-1"], "--latency"),
        (["--strategy", WORKED, "--fees", "5000/5000"], "--fees"),
    ):
        for command in (["record", "-o", tmp_path / "tape"], ["live"]):
            done = invoke(*command, BTC, "--url", "ws://127.0.0.1:1", *options)
            assert done.exit_code == 2, done.output
            assert told in done.stderr.splitlines()[-1]
            assert not (tmp_path / "tape").exists()


def test_a_function_is_called_to_see_what_it_makes() -> None:
    """What makes strategies may be a function; one that raises is told before anything is recorded."""

    def make(product: str, size: str = "0.01") -> Lifts:
        return Lifts(product, size)

    def fails(product: str) -> Lifts:
        raise KeyError(product)

    assert paper(make, {"size": "1"}).name.endswith("make")
    with pytest.raises(StrategyError, match="at its start: KeyError"):
        paper(fails, {})
