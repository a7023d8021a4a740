"""A strategy behind a live feed: its rows as they happen, and their digest, which a replay has too."""

import json
import re
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import replay
from booktape.examples.episode_alert import EpisodeAlert
from recorder.api import live, record
from recorder.runtime.strategy_run import StrategyRun
from recorder.settings import ConnectionSettings, LiveSettings, RecordSettings
from replay.checking.verify import verify
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import Json, end, json_of, running_booktape
from tests.support.constants import BTC, ETH, TIMEOUT_S
from tests.support.recordings import QUICK
from tests.support.user_strategies import BookAndTrades

MARKETS = [
    MarketSettings(BTC, depth=20, thin_every=100),
    MarketSettings(ETH, mid="1800.00", tick="0.01", depth=20, thin_every=100),
]
EPISODES = "booktape.examples.episode_alert:EpisodeAlert"
SETTINGS = ExchangeSettings(rate=3000.0, frames=1200, drop_after=(300, 300), heartbeats=False)
ENDING = replace(SETTINGS, drop_after=(300, 300, 1200, 1200))


def two_connections(url: str) -> ConnectionSettings:
    """Return settings of a recording that ends by itself after two connections of each product."""
    return ConnectionSettings("exchange", url, backoff=QUICK, spacing=0.0, connections=2)


def test_a_strategy_live_has_the_digest_of_its_replay(tmp_path: Path) -> None:
    """The digest and the rows on stderr are those of a replay."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, SETTINGS) as exchange:
        arguments = ("record", BTC, ETH, "-o", tape, "--url", exchange.url, "--strategy", EPISODES, "--json")
        with running_booktape(*arguments) as process:
            exchange.wait_for_done(2, timeout=TIMEOUT_S)
            stdout, stderr = end(process)
    recorded: Json = json.loads(stdout)
    replayed = json_of("replay", tape, "--strategy", EPISODES)
    assert recorded["strategy"] == replayed["strategy"]
    assert recorded["strategy_digest"] == replayed["strategy_digest"]
    assert recorded["digest"] == replayed["digest"]
    rows = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
    expected = replay.run(tape, strategy=EpisodeAlert).strategy_rows
    assert {row["product"] for row in rows} == set(expected) == {BTC, ETH}
    for product, table in expected.items():
        plain = [row for row in rows if row["product"] == product]
        for name in ("seq", "what", "duration_s", "max_relative_spread"):
            assert [row[name] for row in plain] == table[name].to_pylist()
        assert all(len(row["start"]) == len("2026-08-09T21:05:48.000000000Z") for row in plain)


def test_a_continued_tape(tmp_path: Path) -> None:
    """A second recording starts a new strategy; a replay from its first row has its digest."""
    tape = tmp_path / "tape"
    results, runs = [], []
    for _ in range(2):
        with SyntheticExchange(MARKETS, ENDING) as exchange:
            run = StrategyRun(EpisodeAlert, lambda _product, _rows: None)
            runs.append(run)
            results.append(
                record([BTC, ETH], tape, RecordSettings(two_connections(exchange.url)), strategy=run)
            )
    firsts = [tally.first_time for tally in results[1].tallies.values()]
    start = min(first for first in firsts if first is not None)
    replayed = replay.run(tape, ReplaySettings(window=Window(start)), strategy=EpisodeAlert)
    assert replayed.strategy is not None
    assert results[1].strategy is not None
    assert runs[1].digests.keys() == {BTC, ETH}
    assert results[1].strategy.document() == replayed.strategy.document()
    assert results[1].strategy.digest == replayed.strategy.digest


def test_trades_live_are_those_of_a_replay(tmp_path: Path) -> None:
    """A strategy that reads trades gets them behind a feed too, with the digest of the replay."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, ENDING) as exchange:
        run = StrategyRun(BookAndTrades, lambda _product, _rows: None, reads_trades=True)
        settings = replace(two_connections(exchange.url), trades=True)
        recorded = record([BTC, ETH], tape, RecordSettings(settings), strategy=run)
    replayed = replay.run(tape, strategy=BookAndTrades)
    assert replayed.strategy is not None
    assert run.document() == replayed.strategy.document()
    assert run.digest == replayed.strategy.digest
    trades = sum(rows["what"].to_pylist().count("trade") for rows in replayed.strategy_rows.values())
    assert trades > 10
    assert all(tally.trades is not None for tally in recorded.tallies.values())


def test_a_failing_strategy_does_not_end_a_recording(tmp_path: Path) -> None:
    """If a strategy fails, that is logged, the recording continues, seals everything and exits with 1."""
    tape = tmp_path / "tape"
    name = "tests.support.user_strategies:Raises"
    with SyntheticExchange(MARKETS, SETTINGS) as exchange:
        arguments = ("record", BTC, ETH, "-o", tape, "--url", exchange.url, "--strategy", name, "--json")
        with running_booktape(*arguments) as process:
            exchange.wait_for_done(2, timeout=TIMEOUT_S)
            process.send_signal(signal.SIGTERM)
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "Traceback" not in stderr
    told = [line for line in stderr.splitlines() if f"strategy {name}, {ETH}, rows " in line]
    assert len(told) == 2
    assert "ERROR" in told[0]
    assert "ValueError: this one fails" in told[0]
    assert told[0].endswith("; the recording goes on without it")
    assert told[1].startswith("Error: strategy ")
    document = json.loads(stdout)
    assert document["strategy_digest"] is None
    assert verify(tape).passes(strict=True)
    assert replay.run(tape, keep=False).digest == document["digest"]
    failed_at = re.search(rf"{ETH}, rows \d+ to (\d+): ", told[1])
    assert failed_at is not None
    assert document["products"][ETH]["rows"] > int(failed_at[1]) + 1
    others = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
    spreads = [row["seq"] for row in others if row["product"] == BTC]
    seqs = replay.run(tape).summaries[BTC]["seq"].to_pylist()
    assert spreads == [seq for seq in seqs if seq % 50 == 0]


def test_live_prints_rows() -> None:
    """`live` prints the rows of a strategy as JSON objects, and no summaries unless they are requested."""
    with SyntheticExchange(MARKETS[:1], ExchangeSettings(rate=2000.0)) as exchange:
        arguments = ("live", BTC, "--url", exchange.url, "--strategy", EPISODES)
        with running_booktape(*arguments) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            stdout, _ = end(process)
        rows = [json.loads(each) for each in [line, *stdout.splitlines()]]
        assert {row["what"] for row in rows} <= {"lasting", "ended"}
        assert {row["product"] for row in rows} == {BTC}
        with running_booktape(*arguments, "--all") as process:
            assert process.stdout is not None
            assert " bps" in process.stdout.readline()
            end(process)


def test_live_ends_with_a_failing_strategy() -> None:
    """If its strategy fails, `live` exits with 1 and one line."""
    name = "tests.support.user_strategies:Backwards"
    with (
        SyntheticExchange(MARKETS[:1], ExchangeSettings(rate=2000.0)) as exchange,
        running_booktape("live", BTC, "--url", exchange.url, "--strategy", name) as process,
    ):
        _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert stderr.splitlines()[-1].startswith(f"Error: strategy {name}, {BTC}, rows ")
    assert "Traceback" not in stderr


@pytest.mark.parametrize("job", ["record", "live"])
def test_from_python(tmp_path: Path, job: str) -> None:
    """Both jobs hand the rows to a function and have the digest in their run."""
    rows: list[Any] = []
    with SyntheticExchange(MARKETS, ENDING) as exchange:
        run = StrategyRun(partial(EpisodeAlert, threshold=0.0005), lambda *item: rows.append(item))
        settings = two_connections(exchange.url)
        if job == "record":
            assert (
                record([BTC, ETH], tmp_path / "tape", RecordSettings(settings), strategy=run).strategy is run
            )
        else:
            live([BTC, ETH], LiveSettings(settings), strategy=run)
    assert run.name == "functools:partial"
    assert {product for product, _ in rows} == set(run.digests) == {BTC, ETH}
    assert sum(batch.num_rows for _, batch in rows) == sum(each.rows for each in run.digests.values())
    assert run.digest is not None
