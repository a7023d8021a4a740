"""A search: its trials are ordinary backtests, all of them count, and it goes on where it was stopped."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from replay.simulation.results import Backtest
from tests.support.commands import invoke, json_of
from tests.support.constants import ETH, SAMPLE, START
from tests.support.market_truth import true_market
from tests.support.rows import write_tape

needs_optuna = pytest.mark.skipif(
    find_spec("optuna") is None, reason="needs booktape[search]; .ci/run has it"
)

SPACE = {"threshold": "0bps..1bps", "inside": "0:2:1", "size": ("0.01", "0.02")}
WORDS = ("--sweep", "threshold=0bps..1bps", "--sweep", "inside=0:2:1", "--sweep", "size=0.01,0.02")
EXECUTION = bt.Execution(fees="0/0", latency="10ms", seed=3)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of 42 hours of a market with trades."""
    rows = [
        row._replace(recv_time=START + (row.recv_time - START) * 15_000)
        for row in true_market("level2_batch", 5, batches=200).rows
    ]
    return write_tape(tmp_path_factory.mktemp("market") / "tape", rows)


def searched(tape: Path, trials: int, **options: Any) -> Backtest:
    """Return a search of the worked strategy."""
    given: dict[str, Any] = {"sweep": SPACE, "execution": EXECUTION, "equity_every": "10m"}
    return bt.search(tape, trials=trials, **given | options)


@needs_optuna
def test_a_trial_is_a_backtest_of_its_own(market: Path, tmp_path: Path) -> None:
    """Each has the digest of a run with its settings alone; Optuna's own tools see the same best."""
    import optuna  # noqa: PLC0415  of an extra

    storage = f"sqlite:///{tmp_path / 'study.db'}"
    found = searched(market, 30, study=f"{storage}#mine")
    assert found.search is not None
    assert (found.search.trials, found.search.earlier) == (30, 0)
    tape = bt.open(market)
    for row in found.rows[::3]:
        alone = tape.backtest(
            settings=found.values(row), fees="0/0", latency="10ms", equity_every="10m", keep=False
        )
        assert (row.execution_digest, row.net) == (alone.rows[0].execution_digest, alone.rows[0].net)
    study = optuna.load_study(study_name="mine", storage=storage)
    best = found.best("net")
    assert study.best_value == best.net
    assert best.best_of == found.trials == len({str(each) for each in found.settings.settings})
    stored = study.best_trial.params
    assert found.values(best)["threshold"] == f"{stored['threshold']:.5g}bps"
    assert (found.values(best)["inside"], found.values(best)["size"]) == (stored["inside"], stored["size"])


@needs_optuna
def test_a_search_goes_on_where_it_was_stopped(market: Path, tmp_path: Path) -> None:
    """Stopped between batches, or killed while it wrote one: its trials are those of one search."""
    whole = searched(market, 60)
    assert 40 < whole.trials <= 60
    journal = tmp_path / "trials.log"
    with pytest.raises(InterruptedError):
        searched(market, 60, study=str(journal), progress=stop_at(40))
    written = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(written[:-7]))  # a batch without its end, as a kill leaves it
    five, rest = (searched(market, trials, study=str(journal)) for trials in (5, 60))
    assert five.search is not None
    assert five.search.trials == five.search.earlier + 5 < 40
    assert rest.rows[: whole.trials] == whole.rows
    assert rest.settings.settings[: whole.trials] == whole.settings.settings


def stop_at(trials: int) -> Callable[[int, int], None]:
    """Return a progress function that raises once so many trials are done."""

    def progress(done: int, _: int) -> None:
        if done >= trials:
            raise InterruptedError

    return progress


@needs_optuna
def test_all_trials_of_a_study_count(market: Path, tmp_path: Path) -> None:
    """The best is judged against luck among those of earlier runs, too, and table and document say so."""
    study = str(tmp_path / "trials.log")
    first = searched(market, 25, study=study, by="hour")
    execution = ("--fees", "0/0", "--latency", "10ms", "--seed", "3", "--equity-every", "10m", "--by", "hour")
    words = ("backtest", str(market), "--search", "20", *WORDS, *execution, "--study", study)
    document = json_of(*words)
    assert document["search"] == {
        "choose": "net",
        "study": f"{study}#booktape",
        "trials": 45,
        "earlier": 25,
    }
    (luck,) = document["luck"]
    tried = len(document["settings"])
    assert first.trials < tried == document["trials"] == luck["trials"]
    shown = " ".join(invoke(*words).stdout.split())
    assert "(of 65 trials, 45 were of earlier runs)" in shown
    assert "what luck gives. Its Sharpe ratio by hour is" in shown


@needs_optuna
def test_a_setting_is_tried_once(market: Path) -> None:
    """Of few combinations Optuna names some again: those are neither run again, nor counted as tried."""
    few = {"inside": "0:2:1", "threshold": "0bps:1bps:0.2bps", "size": ("0.01",)}
    found = searched(market, 17, sweep=few)
    assert found.search is not None
    assert found.trials < found.search.trials == 17
    assert len(found.rows) == found.trials == len({str(each) for each in found.settings.settings})


@needs_optuna
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fees", "1/2"], "is of fees '0/0 bps', not '1/2 bps'"),
        (["--set", "limit=1"], "is of settings 'default settings', not 'limit=1'"),
        (["--strategy", "booktape.examples.market_making:MarketMaker"], "'threshold'"),
        (["--to", "+10h"], "is of tape 'BTC-USD from"),
        (["--seed", "4"], "is of seed '3', not '4'"),
        (["--choose", "turnover"], "is of choose 'net', not 'turnover'"),
        (["--study", "study.db"], "write sqlite:///study.db"),
        (["--study", "nowhere/trials.log"], "nowhere/trials.log#booktape (No such file"),
        (["--study", "postgresql://me:secret@host/db"], "postgresql://host/db#booktape"),
        (["--study", "notes.txt"], "(not a journal of Optuna): name a storage, such as sqlite:///study.db"),
        (["--choose", "sharpe", "--to", "+10h", "--study", "new.log"], "no trial has a value of 'sharpe'"),
    ],
)
def test_studies_of_something_else(
    market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    """Trials that are no equals are refused in one line, no password is told, nothing else is written to."""
    monkeypatch.chdir(tmp_path)
    notes = tmp_path / "notes.txt"
    notes.write_text("a line of somebody's\n")
    execution = ("--fees", "0/0", "--latency", "10ms", "--seed", "3")
    options = ("backtest", str(market), "--search", "1", *WORDS, *execution, "--study", "trials.log")
    assert invoke(*options).exit_code == 0
    done = invoke(*options, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert notes.read_text() == "a line of somebody's\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--search", "5"], "there is nothing to search: write threshold=1bps..50bps"),
        (["--search", "0", *WORDS], "--search"),
        (["--sweep", "threshold=1bps..5bps"], "is a range to search: add --search N"),
        (["--search", "5", "--sweep", "threshold=5bps..1bps"], "goes down: write 1bps..5bps"),
        (["--search", "5", "--sweep", "threshold=1bps:50bps"], "has no step: write 1bps..50bps for anything"),
        (["--search", "5", "--sweep", "threshold=nan..5bps"], "is not LOW..HIGH, two numbers in one unit"),
        (["--search", "5", "--sweep", "foo=1..5"], "Invalid value for '--sweep'"),
        (["--search", "5", "--sweep", "inside=0.."], "is not LOW..HIGH"),
        (["--search", "5", "--sweep", "threshold=1bps..5%"], "is not LOW..HIGH, two numbers in one unit"),
        (["--search", "5", "--sweep", "size=1..2", "--set", "size=1"], "size is set and swept"),
        (["--search", "5", "--sweep", "sizes=1..2"], "its settings are threshold, size"),
        (["--search", "5", *WORDS], "a search is on one product: name one of BTC-USD, ETH-USD"),
        (["--search", "5", *WORDS, "-p", ETH, "--queue", "back,front"], "under one queue model"),
        (["--search", "5", *WORDS, "-p", ETH, "--latency", "1s,2s"], "a search has one latency"),
        (["--search", "5", "--sweep", "inside=0..3", "-p", ETH], "these are 4 combinations"),
        (["--search", "5", *WORDS, "-o", "run"], "--search and -o exclude each other"),
        (["--search", "5", *WORDS, "--walk", "20s:20s"], "--walk and --search exclude each other"),
        (["--study", "trials.log"], "--study is only for --search"),
    ],
)
def test_what_cannot_be_searched(words: list[str], said: str) -> None:
    """Each is refused in one line, with or without Optuna."""
    done = invoke("backtest", str(SAMPLE), *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.skipif(find_spec("optuna") is not None, reason="Optuna is here")
def test_without_optuna() -> None:
    """The line says what to install."""
    done = invoke("backtest", str(SAMPLE), "-p", ETH, "--search", "5", *WORDS)
    assert done.exit_code == 2
    assert "pip install 'booktape[search]'" in done.stderr
