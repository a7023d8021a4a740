"""The recipes whose results are checked beyond what the page shows."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import booktape as bt
import replay
from booktape.examples.episode_alert import EpisodeAlert
from booktape.examples.wide_spreads import THRESHOLD
from replay.running.settings import ReplaySettings
from tests.support.constants import ROOT
from tests.support.shell import make_workspace, run_commands


def commands(name: str, page: str = "recipes") -> str:
    """Return the commands below a mark of a page."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- test: {name} -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory for the commands."""
    return make_workspace(tmp_path)


def test_flow(place: Path) -> None:
    """The flow alone, and the processes of the cluster together, print every wide summary once."""
    run_commands(commands("flow"), place)
    signals = replay.run(bt.sample(), ReplaySettings(threshold=THRESHOLD)).signals
    expected = sorted((product, seq) for product in signals for seq in signals[product]["seq"].to_pylist())
    assert expected

    def printed(name: str) -> list[tuple[str, int]]:
        lines = (line.split() for line in (place / name).read_text(encoding="utf-8").splitlines())
        # bytewax prints to stdout while a process waits for another one.
        return sorted((words[0], int(words[1])) for words in lines if words[0] in signals)

    assert printed("wide.txt") == expected
    parts = printed("wide-0.txt"), printed("wide-1.txt")
    assert sorted(parts[0] + parts[1]) == expected


def test_strategy(place: Path) -> None:
    """The strategy's rows are where the page says, with the digest that is printed."""
    stdout = run_commands(commands("strategy"), place)
    expected = replay.run(bt.sample(), strategy=EpisodeAlert)
    rows = pq.read_table(place / "run" / "strategy").select(EpisodeAlert.schema.names)
    assert rows.num_rows == sum(table.num_rows for table in expected.strategy_rows.values()) > 0
    assert {"lasting", "ended"} == set(rows["what"].to_pylist())
    assert expected.strategy is not None
    assert str(expected.strategy.digest)[:16] in stdout
    document = json.loads((place / "run" / "run.json").read_bytes())
    assert document["strategy_digest"] == expected.strategy.digest


def test_paper_trading(place: Path) -> None:
    """Behind a served tape: the digest and all numbers of the backtest, and an event a line."""
    run_commands(commands("live", "backtest"), place)
    live, replayed = (json.loads((place / name).read_bytes()) for name in ("live.json", "replayed.json"))
    assert live["execution_digest"] == replayed["execution_digest"]
    assert live["execution"]["rows"] == replayed["rows"]
    text = (place / "events.jsonl").read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (row,) = replayed["rows"]
    assert sum(event["event"] == "fill" for event in events) == row["fills"] > 0
    assert {event["product"] for event in events} == {"ETH-USD"}
