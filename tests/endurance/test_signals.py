"""SIGINT, SIGTERM and SIGHUP under load: the real recorder, a server that sends as fast as it can."""

import json
import signal
from pathlib import Path
from random import Random

import pytest

from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.commands import end, running_booktape
from tests.support.constants import BTC
from tests.support.rows import journals, read_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

STOPS = cases(200, 3)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    """Every stop ends with exit 0, all sealed, an exact prefix of what was sent on the tape, and verified."""
    rng, most = Random(11), cases(3_000, 800)
    frames = 0
    for number in range(STOPS):
        tape = tmp_path / f"tape-{number}"
        settings = ExchangeSettings(heartbeats=False)
        with SyntheticExchange([MarketSettings(BTC, depth=30)], settings) as exchange:
            options = ("-o", tape, "--url", exchange.url, "--segment-rows", 400, "--json")
            with running_booktape("record", BTC, *options, as_user=True) as process:
                rounds = rng.randint(1, most)
                exchange.wait_until(
                    lambda rounds=rounds: any(c.rounds >= rounds for c in exchange.connections),  # type: ignore[misc]
                    timeout=60,
                )
                stdout, _ = end(process, SIGNALS[number % 3])
            (sent,) = exchange.sent
        rows = read_rows(tape)
        assert not journals(tape)
        assert [row.seq for row in rows] == list(range(len(rows)))
        assert (rows[0].kind, rows[-1].kind) == ("connected", "disconnected")
        received = [row.payload for row in rows if row.kind == "frame"]
        assert received == sent[: len(received)]
        assert json.loads(stdout)["products"][BTC]["frames"] == len(received)
        assert not verify(tape).damage
        frames += len(received)
    report("SIGINT, SIGTERM, SIGHUP", stops=STOPS, frames=frames, lost=0)
