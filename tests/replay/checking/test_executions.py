"""The orders of a live session are those of its replay, or `verify` says from where on they are not."""

import json
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from booktape.feed_arguments import paper_settings
from booktape.strategies import QuoteWhenWide
from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position, split_at
from replay.checking.executions import ExecutionVerdict
from replay.simulation.paper import PaperRun
from tests.support.commands import invoke
from tests.support.constants import BTC
from tests.support.market_truth import true_market
from tests.support.tapes import import_frames

WORKED = "booktape.strategies:QuoteWhenWide"
NAME = "_executions.jsonl"
MARKET = [row for row in true_market("level2_batch", 5, batches=150).rows if row.kind == "frame"]
ROWS = len(MARKET) + 2  # with the two that begin and end the connection
SETTINGS = {"threshold": "0.2bps", "inside": 0}
EXECUTION = bt.Execution(latency="uniform:1ms:30ms", queue="back,front", seed=3, tick={BTC: "0.01"})


class Sometimes:
    """Buys after each trade; what else it does changes from version to version."""

    wakes = Wakes(trades=True)
    size = "0.01"
    left = 10**9

    def __init__(self, product: str) -> None:
        self.product = product

    def on_event(self, m: MarketView) -> None:
        """Buy."""
        self.left -= 1
        m.market("bid", self.size if self.left > 0 else 1 / self.left)


def traded_on(directory: Path, strategy: Any = WORKED, settings: dict[str, Any] | None = None) -> Path:
    """Import a market, and note on its tape what a strategy traded as a recording would; return the tape."""
    start = MARKET[0].recv_time
    tape = import_frames(directory, [(row.recv_time - start, row.payload) for row in MARKET])
    found = paper_settings(strategy, SETTINGS if settings is None else settings, EXECUTION, (BTC,))
    assert found is not None
    run = PaperRun(found, lambda _product, _rows: None)
    stored = Tape.open(tape)
    run.begin(stored.feed, {BTC: Position()}, stored)
    for batch in split_at(stored.product(BTC).batches(), range(0, ROWS, 50)):
        run.take(BTC, batch, batch.column("seq")[0].as_py() % 100 == 0)
    run.finish()
    return tape


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape on which the worked strategy has traded."""
    return traded_on(tmp_path)


def verdicts(tape: Path, strategy: Any = None) -> list[ExecutionVerdict]:
    """Return the verdicts of `verify`."""
    return bt.open(tape).verify(strategy=strategy).executions


def test_equal(tape: Path) -> None:
    """Run again with what is noted, at every checkpoint; twice recorded is one session."""
    (found,) = verdicts(tape, WORKED)
    places = (ROWS - 1) // 100 + 1
    assert found == ExecutionVerdict(BTC, WORKED, 0, ROWS, "equal", places, places, None)
    assert verdicts(tape, QuoteWhenWide) == [found]
    done = invoke("verify", tape, "--strategy", WORKED)
    assert done.exit_code == 0
    last = f"{ROWS - 1:,}"
    line = (
        f"{BTC}: orders of {WORKED} from row 0: those of their replay at {places} checkpoints, to row {last}"
    )
    assert line in done.stdout.splitlines()
    told = f"{BTC}: {WORKED} traded on paper; `verify --strategy` compares it"
    assert told in invoke("inspect", tape).stdout.splitlines()


def test_nothing_is_imported_because_a_tape_names_it(tape: Path) -> None:
    """A session that names a module is unchecked until the user names it too; a shell may read its name."""
    noted = tape / f"product={BTC}" / NAME
    text = noted.read_text().replace(WORKED, "tests.support.fails_on_import:\\u001b[31mX; rm -rf x")
    noted.write_text(text)
    (found,) = verdicts(tape)
    assert (found.verdict, found.equal) == ("unchecked", 0)
    done = invoke("verify", tape)
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "unchecked, `verify --strategy 'tests.support.fails_on_import:" in done.stdout
    assert "; rm -rf x'` runs it again" in done.stdout
    with pytest.raises(bt.OptionError, match="has not traded on this tape"):
        bt.open(tape).verify(strategy=WORKED)
    assert invoke("verify", tape, "--strategy", "no:Such").exit_code == 2


FORGERIES = [
    ('"seed":3', '"seed":4', "from a row of "),
    ('"threshold":"0.2bps"', '"threshold":"9bps"', "from a row of 0 to 99 on"),
    ('"threshold"', '"unknown"', "unexpected keyword argument"),
    (f'"next_seq":{ROWS}', f'"next_seq":{ROWS + 5}', "the tape has no row"),
]


@pytest.mark.parametrize(("text", "other", "told"), FORGERIES)
def test_different(tape: Path, text: str, other: str, told: str) -> None:
    """Other settings, and rows that are not there: the place is named, and what differs is damage."""
    noted = tape / f"product={BTC}" / NAME
    content = noted.read_text()
    assert text in content
    noted.write_text(content.replace(text, other))
    found = bt.open(tape).verify(strategy=WORKED)
    (verdict,) = found.executions
    assert verdict.reason is not None
    assert told in verdict.reason
    assert found.passes(strict=True) == (verdict.verdict == "unchecked")
    assert (verdict.line() in found.damage) == (verdict.verdict == "different")


def test_a_strategy_that_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It differs after the last row to which it does what it did; also if it raises now."""
    tape = traded_on(tmp_path, Sometimes, {})
    name = f"{__name__}:Sometimes"
    (equal,) = verdicts(tape, name)
    assert (equal.verdict, equal.strategy) == ("equal", name)
    for change in ({"size": "0.02"}, {"left": 20}):
        with monkeypatch.context() as changed:
            for attribute, value in change.items():
                changed.setattr(Sometimes, attribute, value)
            (found,) = verdicts(tape, name)
        assert found.verdict == "different"
        assert found.equal < found.checkpoints
        document = json.loads(invoke("verify", tape, "--json").stdout)
        assert document["executions"][0]["verdict"] == "unchecked"


def test_damage(tape: Path) -> None:
    """A file that no recording wrote is damage, with its line."""
    noted = tape / f"product={BTC}" / NAME
    for line in (b"{}\n", b'{"line":"checkpoint","next_seq":1,"digests":{}}\n'):
        content = noted.read_bytes()
        noted.write_bytes(content + line)
        found = bt.open(tape).verify()
        assert not found.passes(strict=False)
        assert any(f"{NAME}: line " in each for each in found.damage)
        noted.write_bytes(content)
    noted.write_text(noted.read_text().replace('"latency":"uniform:1000000ns', '"latency":"soon:'))
    found = bt.open(tape).verify(strategy=WORKED)
    assert any("is not a latency" in each for each in found.damage)
