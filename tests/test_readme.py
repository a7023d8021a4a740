"""What the README says can be run as it stands."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import replay
from examples.episode_alert import EpisodeAlert
from examples.wide_spreads import THRESHOLD
from tests.console import make_place, run_commands
from tests.replay.tapes import ROOT, python

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SAMPLE = ROOT / "data" / "sample"


def commands(name: str) -> str:
    """Return the commands that stand below a mark of the README."""
    found = re.search(rf"^<!-- test: {name} -->\n```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory for the README's commands."""
    return make_place(tmp_path)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python(number: int) -> None:
    """Every example in Python runs where the project is, and prints something."""
    done = python(PYTHON[number], cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_there_are_examples_in_python() -> None:
    """The README has one of `run` and one of `flow`."""
    assert [name for name in ("replay.run(", "replay.flow(") if name not in "".join(PYTHON)] == []


def test_flow(place: Path) -> None:
    """The flow alone, and the processes of the cluster together, print every wide summary once."""
    run_commands(commands("flow"), place)
    signals = replay.run(SAMPLE, replay.ReplaySettings(threshold=THRESHOLD)).signals
    expected = sorted((product, seq) for product in signals for seq in signals[product]["seq"].to_pylist())
    assert expected

    def printed(name: str) -> list[tuple[str, int]]:
        lines = (line.split() for line in (place / name).read_text(encoding="utf-8").splitlines())
        # While a process waits for another, bytewax says so on stdout.
        return sorted((words[0], int(words[1])) for words in lines if words[0] in signals)

    assert printed("wide.txt") == expected
    parts = printed("wide-0.txt"), printed("wide-1.txt")
    assert sorted(parts[0] + parts[1]) == expected
    assert all(parts)


def test_strategy(place: Path) -> None:
    """The strategy's rows are where the README says, with the digest that is printed."""
    stdout = run_commands(commands("strategy"), place)
    expected = replay.run(SAMPLE, strategy=EpisodeAlert)
    rows = pq.read_table(place / "run" / "strategy").select(EpisodeAlert.schema.names)
    assert rows.num_rows == sum(table.num_rows for table in expected.strategy_rows.values()) > 0
    assert {"lasting", "ended"} == set(rows["what"].to_pylist())
    assert expected.strategy is not None
    assert str(expected.strategy.digest)[:16] in stdout
    document = json.loads((place / "run" / "run.json").read_bytes())
    assert document["strategy_digest"] == expected.strategy.digest
