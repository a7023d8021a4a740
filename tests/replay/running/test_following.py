"""`replay --follow`: a tape that is being recorded, to its last row, with the digest of the recording."""

import json
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from orderbook.times import format_time
from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import (
    Running,
    booktape,
    clean_environment,
    end,
    json_of,
    python,
    running_booktape,
)
from tests.support.constants import BTC, ETH, MS, SAMPLE, START
from tests.support.tapes import import_frames, snapshot, update

INTERRUPTED_WHILE_LOADING = """
import signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "numba":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[0] = "booktape"
from booktape.__main__ import main
main()
"""
"""Runs `booktape`, and is interrupted where it looks for numba."""

EVERYTHING = ("--threshold", "0")  # every summary of a book that is neither crossed nor locked


def read_signals(process: Running, seen: Counter[str], wanted: Mapping[str, int]) -> None:
    """Read a follower's stderr until it has printed a number of signals of each product."""
    assert process.stderr is not None
    while any(seen[product] < number for product, number in wanted.items()):
        line = process.stderr.readline()
        assert line, "the follower has ended"
        seen.update(product for product in (BTC, ETH) if f"  {product}" in line)


def test_a_recording_is_followed_to_its_last_summary(tmp_path: Path) -> None:
    """Started during the recording, through seals and reconnects, it ends with the recording's digest."""
    tape, run = tmp_path / "tape", tmp_path / "run"
    markets = [MarketSettings(BTC, depth=30, seed=1), MarketSettings(ETH, depth=30, seed=2)]
    settings = ExchangeSettings(heartbeats=False, rate=400, drop_after=(150, 150, None, None))
    seen: Counter[str] = Counter()
    with SyntheticExchange(markets, settings) as exchange:
        options = ("-o", tape, "--url", exchange.url, "--segment-rows", 70, "--json")
        with running_booktape("record", BTC, ETH, *options) as recorder:
            exchange.wait_for_connections(2, timeout=60)
            with running_booktape("replay", tape, "--follow", *EVERYTHING, "-o", run, "--json") as follower:
                read_signals(follower, seen, {BTC: 300, ETH: 300})
                stdout, _ = end(recorder, signal.SIGTERM)
                recorded = json.loads(stdout)
                replayed = json_of("replay", tape, *EVERYTHING)
                wanted = {product: each["signals"] for product, each in replayed["products"].items()}
                read_signals(follower, seen, wanted)
                stdout, _ = end(follower, signal.SIGINT)
    followed = json.loads(stdout)
    assert followed["digest"] == replayed["digest"] == recorded["digest"]
    assert seen == wanted
    assert followed["products"][BTC]["connections"] > 1
    assert json.loads((run / "run.json").read_bytes()) == followed
    assert not verify(tape).damage


def test_a_window_ends_what_is_followed(tmp_path: Path) -> None:
    """Following ends by itself when a row at or after --to arrives."""
    frames = [(0, snapshot(BTC)), *((n * MS, update(BTC, ("buy", "99.5", str(n)))) for n in range(1, 50))]
    tape = import_frames(tmp_path, frames, segment_rows=20)
    end_time = format_time(START + 30 * MS)
    done = booktape("replay", tape, "--follow", *EVERYTHING, "--to", end_time)
    assert done.returncode == 0
    assert "waiting for a spread above 0 bps" in done.stderr
    whole = json_of("replay", tape, "--to", end_time)
    assert whole["digest"] in done.stdout
    assert done.stdout.count(f"  {BTC}") >= whole["products"][BTC]["summaries"] == 30


def test_a_signal_while_it_loads_ends_it_with_a_result() -> None:
    """Ctrl-C ends a replay that follows, and shows its result, however early it comes; any other fails."""
    environment = clean_environment() | {"BOOKTAPE_ENGINE": "auto"}
    done = python(INTERRUPTED_WHILE_LOADING, "replay", SAMPLE, "--follow", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["products"][BTC]["rows"] == 0
