"""The settings of a run survive what is noted of it."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

import booktape as bt
from booktape.feed_arguments import paper_settings
from booktape.strategies import QuoteWhenWide
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.executions import Session
from replay.simulation.sessions import session_of, settings_of
from replay.simulation.settings import BacktestSettings
from tests.support.constants import BTC

GIVEN: list[dict[str, Any]] = [
    {},
    {
        "fees": "-0.5/5",
        "latency": "uniform:1ms:20ms",
        "report": "3ms",
        "queue": "front,back",
        "seed": 2**63 - 1,
    },
    {
        "latency": "feed:40ms:0.000001",
        "impact": "none",
        "on_break": "keep",
        "tick": "0.01",
        "lot": {BTC: "0.1"},
    },
    {"latency": 1.5, "cash": "1000000000", "base": "0.00000001"},
]


def settings(**given: Any) -> BacktestSettings:
    """Return the settings of a run."""
    found = paper_settings(QuoteWhenWide, {"size": "0.02", "inside": 0}, bt.Execution(**given), (BTC,))
    assert found is not None
    return found


@pytest.mark.parametrize("given", GIVEN)
def test_there_and_back(given: dict[str, Any], tmp_path: Any) -> None:
    """Whatever decides what happens to orders is the same; a file of latencies is noted as a table."""
    (tmp_path / "latencies").write_text("1ms\n20us\n")
    for run in (settings(**given), settings(**given | {"latency": f"file:{tmp_path / 'latencies'}"})):
        line = msgspec.json.encode(session_of(run, BTC, 7))
        session = msgspec.json.decode(line, type=Session)
        assert session == session_of(run, BTC, 7)
        again = settings_of(session, BTC, QuoteWhenWide)
        for name in ("name", "settings", "queues", "lane", "rules_of"):
            assert getattr(again, name) == getattr(run, name), name


def test_a_line_that_was_not_written_by_a_recording() -> None:
    """Values that no option takes are damage."""
    session = session_of(settings(), BTC, 0)
    for change in ({"latency": "soon"}, {"latency": "9999h"}):
        with pytest.raises(DamagedTapeError, match="QuoteWhenWide"):
            settings_of(msgspec.structs.replace(session, **change), BTC, QuoteWhenWide)
    assert replace(settings()) == settings()
