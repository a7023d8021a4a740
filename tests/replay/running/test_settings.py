"""Settings of a replay: every spelling of the command line, and the errors for anything else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from orderbook.errors import OptionError
from recorder.tape.errors import UnknownProductError
from replay.running import api as running
from replay.running.settings import ReplaySettings
from tests.support import tapes
from tests.support.constants import MS, START


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of eleven rows, 10 ms apart."""
    frames = [
        (number * 10 * MS, tapes.update("A-USD", ("buy", "99", str(number)))) for number in range(1, 11)
    ]
    return tapes.import_frames(tmp_path_factory.mktemp("settings"), [(0, tapes.snapshot("A-USD")), *frames])


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        ({"threshold": "10bps", "speed": "max"}, {"threshold": 0.001}),
        ({"threshold": "0.1%"}, {"threshold": 0.001}),
        ({"start": "+20ms", "end": "+0.05s"}, {"start": START + 20 * MS, "end": START + 50 * MS}),
        ({"start": datetime.fromtimestamp(START // 10**9, UTC)}, {"start": START}),
        ({"speed": "1e6", "idle_limit": "5ms"}, {"speed": 1e6, "idle_limit": 0.005}),
    ],
)
def test_spellings(tape: Path, spelled: dict[str, Any], plain: dict[str, Any]) -> None:
    """Thresholds, times, speeds and durations mean the same in every spelling, on a path as text or not."""
    first, second = bt.open(str(tape)).replay(**spelled), bt.open(tape).replay(**plain)
    assert first.settings == second.settings
    assert first.digest == second.digest
    assert first.summaries == second.summaries


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": "-1bps"},
        {"threshold": float("nan")},
        {"speed": 0},
        {"speed": "fast"},
        {"start": "yesterday"},
        {"threshold": 10},
        {"start": 60},
        {"start": "+1s", "end": "+1s"},
        {"idle_limit": "-1s", "speed": 1},
    ],
)
def test_wrong_values(tape: Path, wrong: dict[str, Any]) -> None:
    """A value that is not of its kind is an error of one line before anything is replayed."""
    with pytest.raises(OptionError) as error:
        bt.open(tape).replay(**wrong)
    assert "\n" not in str(error.value)


def test_unknown_product(tape: Path) -> None:
    """A product that the tape does not have is an error that names those it has."""
    with pytest.raises(UnknownProductError, match="A-USD"):
        running.run(tape, ReplaySettings(products=("DOGE-USD",)))


def test_a_result_is_one_line(tape: Path) -> None:
    """The repr of a result is one short line, however many rows it holds."""
    text = repr(running.run(tape))
    assert "\n" not in text
    assert len(text) < 200 + len(str(tape))
    assert "A-USD" in text
