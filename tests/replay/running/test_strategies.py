"""A strategy over a tape: its rows, their digest, and every way in which it can fail."""

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import booktape as bt
import replay
from booktape.examples.episode_alert import EpisodeAlert
from orderbook.digest import RowDigest
from orderbook.strategy import CheckedStrategy, StrategyError
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.running.results import RunResult
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support import oracle, tapes, user_strategies
from tests.support.clusters import run_cluster
from tests.support.commands import Json, booktape, clean_environment, invoke, json_of
from tests.support.constants import ROOT
from tests.support.engines import PLAIN
from tests.support.tapes import Recording

EPISODES = "booktape.examples.episode_alert:EpisodeAlert"
HERE = "tests.support.user_strategies"


@pytest.fixture(scope="module")
def episodes(short_tape: Path) -> RunResult:
    """Return a replay of the short tape with the episode alert."""
    return replay.run(short_tape, strategy=EpisodeAlert)


def told(tape: Path, name: str, *options: object) -> str:
    """Assert that a replay with a strategy fails with one line and exit code 1; return the line."""
    done = invoke("replay", tape, "--strategy", name, *options)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


# The rows


@pytest.mark.parametrize("threshold", [0.0, 0.0008])
def test_episodes_are_those_of_compare(recording: Recording, threshold: float) -> None:
    """The example's episodes have the number, lengths and spreads of `compare`, across interruptions."""
    alert = partial(EpisodeAlert, threshold=threshold)
    found = replay.run(recording.tape, strategy=alert).strategy_rows
    compared: dict[str, Json] = {
        str(entry["product"]): entry for entry in bt.compare(recording.tape, [threshold]).rows()
    }
    assert found.keys() == compared.keys()
    for product, expected in compared.items():
        rows = found[product].filter(pc.equal(found[product]["what"], "ended"))
        starts, ends = (rows[name].cast(pa.int64()).to_pylist() for name in ("start", "end"))
        assert rows.num_rows == expected["episodes"] > 0
        assert sum(ends) - sum(starts) == round(expected["time_above_s"] * 1e9)
        assert max(rows["duration_s"].to_pylist()) == expected["duration_max_s"]
        assert max(rows["max_relative_spread"].to_pylist()) == expected["max_relative_spread"]


def test_alerts_come_while_an_episode_lasts(recording: Recording) -> None:
    """A long episode is reported once, after its time and before its end; a short one is not."""
    after_s = 0.02
    found = replay.run(recording.tape, strategy=partial(EpisodeAlert, alert_after_s=after_s)).strategy_rows
    columns = ("what", "duration_s", "max_relative_spread")
    rows = [row for product in found for row in found[product].select(columns).to_pylist()]
    long_ones = [row for row in rows if row["what"] == "ended" and row["duration_s"] > after_s]
    lasting = [number for number, row in enumerate(rows) if row["what"] == "lasting"]
    assert len(lasting) == len(long_ones) > 0
    for number in lasting:
        assert rows[number + 1]["what"] == "ended"
        assert after_s < rows[number]["duration_s"] <= rows[number + 1]["duration_s"]
        assert rows[number]["max_relative_spread"] <= rows[number + 1]["max_relative_spread"]


def test_run_directory(short_tape: Path, tmp_path: Path, episodes: RunResult) -> None:
    """RUN/strategy holds the rows, and run.json a digest that can be computed from them."""
    run = tmp_path / "run"
    document = json_of("replay", short_tape, "--strategy", EPISODES, "-o", run)
    assert json.loads((run / "run.json").read_bytes()) == document
    digests = {}
    for product, rows in episodes.strategy_rows.items():
        (path,) = (run / "strategy" / f"product={product}").iterdir()
        table = pq.ParquetFile(path).read()
        assert table.equals(rows)
        digest = RowDigest(table.schema)
        for batch in table.to_batches(max_chunksize=3):
            digest.update(batch)
        digests[product] = digest.hexdigest()
        assert document["strategy"]["products"][product] == {
            "rows": rows.num_rows,
            "digest": digests[product],
        }
    assert digests.keys() == {"BTC-USD", "ETH-USD", "SOL-USD"}
    assert document["strategy"]["name"] == EPISODES
    assert document["strategy_digest"] == oracle.run_digest(digests)


def test_no_strategy(short_tape: Path) -> None:
    """Without a strategy the document says so."""
    document = json_of("replay", short_tape)
    assert (document["strategy"], document["strategy_digest"]) == (None, None)


def test_printed_line(short_tape: Path, episodes: RunResult) -> None:
    """The command prints the strategy, its number of rows and their digest."""
    done = invoke("replay", short_tape, "--strategy", EPISODES)
    rows = sum(table.num_rows for table in episodes.strategy_rows.values())
    assert episodes.strategy is not None
    line = f"Strategy {EPISODES}: {rows} rows, digest {str(episodes.strategy.digest)[:16]}"
    assert line in done.stdout.splitlines()


def test_window(recording: Recording) -> None:
    """A strategy gets the reported summaries, and no others."""
    times = [row.recv_time for row in tapes.tape_rows(recording.tape, "BTC-USD")]
    start, end = times[len(times) // 3], times[len(times) * 9 // 10]
    result = replay.run(
        recording.tape, ReplaySettings(window=Window(start, end)), strategy=user_strategies.Spreads
    )
    assert result.strategy_rows.keys() == {"BTC-USD", "ETH-USD"}
    for product, rows in result.strategy_rows.items():
        assert rows.to_pylist() == result.summaries[product].select(["seq", "spread"]).to_pylist()


# The digest


def test_digest_of_a_cluster(short_tape: Path, tmp_path: Path, episodes: RunResult) -> None:
    """A cluster of two processes has the same rows of each product."""
    run_cluster("build_strategy", short_tape, tmp_path / "out", 2)
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert len({each.pop("process") for each in found.values()}) == 2
    assert episodes.strategy is not None
    assert found == msgspec.to_builtins(episodes.strategy.document().products)


def test_a_strategy_that_depends_on_the_cut_is_seen(short_tape: Path) -> None:
    """Batches of 50 and of 8192 rows give different digests if a strategy depends on batches."""
    runs = [
        replay.run(short_tape, ReplaySettings(batch_rows=rows), keep=False, strategy=user_strategies.Counts)
        for rows in (50, 8192)
    ]
    assert len({run.strategy.digest for run in runs if run.strategy is not None}) == 2


def test_state_can_be_kept_aside(short_tape: Path, episodes: RunResult) -> None:
    """A strategy that is pickled between batches, as bytewax recovery does, has the same rows."""
    for product, expected in episodes.strategy_rows.items():
        checked = CheckedStrategy(EpisodeAlert, product)
        state = PLAIN.start(product, "exchange")
        given: list[pa.RecordBatch] = []
        for rows in Tape.open(short_tape).product(product).batches(100):
            state, step = PLAIN.step(state, rows)
            if step.summaries.num_rows:
                given += checked.step(step.summaries)
                checked = pickle.loads(pickle.dumps(checked))  # noqa: S301  our own
        last = checked.finish()
        given += [] if last is None else [last]
        assert pa.Table.from_batches(given).equals(expected.combine_chunks())


def rows_with_trades(tape: Path) -> dict[str, list[tuple[int, str, float]]]:
    """Return what `Tape` shows a strategy that tells all it gets, by seq."""
    found = {}
    for product in bt.open(tape).products:
        columns = {"book": ("summaries", "bid_price"), "trade": ("trades", "price")}
        rows = [
            (seq, what, value)
            for what, (table, name) in columns.items()
            for seq, value in zip(
                *(getattr(bt.open(tape), table)(product)[each].to_pylist() for each in ("seq", name)),
                strict=True,
            )
        ]
        first = min(seq for seq, what, _ in rows if what == "book")
        found[product] = sorted((row for row in rows if row[0] >= first), key=lambda row: row[0])
    return found


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_trades_come_between_summaries(engine: EngineName) -> None:
    """In the order of the rows, whatever the batches and the engine; not among the results."""
    if engine == "compiled":
        pytest.importorskip("numba")
    expected = rows_with_trades(bt.sample())
    assert all({what for _, what, _ in rows} == {"book", "trade"} for rows in expected.values())
    digests = set()
    for batch_rows in (70, 8192):
        settings = ReplaySettings(batch_rows=batch_rows)
        run = replay.run(bt.sample(), settings, strategy=user_strategies.BookAndTrades, engine=engine)
        assert run.strategy is not None
        digests.add(run.strategy.digest)
        assert run.trades == {}
        for product, table in run.strategy_rows.items():
            assert (
                list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
                == expected[product]
            )
    assert len(digests) == 1


# Failures


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Exits", "SystemExit: 3"),
        ("InvalidText", "it returned an invalid RecordBatch: "),
        (
            "Raises",
            r"ETH-USD, rows 1 to \d+: ValueError: this one fails \(BOOKTAPE_TRACEBACK=1 shows where\)",
        ),
        ("RaisesAtEnd", r".*, at its end, after row 501: KeyError: 'end' "),
        ("RaisesAtStart", r"BTC-USD, at its start: RuntimeError: no start "),
        ("OtherColumns", r"it returned columns \(seq int64, .*\) instead of \(seq int64, .*more string\)"),
        ("Backwards", r"it returned a row of seq \d+ after one of seq \d+"),
        ("FutureRow", r"it returned a row of seq \d+, which it has not received"),
        ("NullSeq", "it returned a row without a seq"),
        ("NullSpread", "it returned a row without a spread"),
        ("ReturnsList", "it returned a list instead of a RecordBatch or None"),
        ("NoSchema", "its schema is not a pyarrow.Schema"),
        ("NoSeq", "the first column of its schema must be seq, int64"),
        ("ProductColumn", "none may be named product"),
        ("Nested", r"column levels is list<.*>; use numbers, bools, timestamps and strings"),
        ("ReturnsNone", "at its start: AttributeError: "),
    ],
)
def test_failing_strategy(short_tape: Path, tmp_path: Path, name: str, said: str) -> None:
    """A failing strategy ends the replay with one line that names it, product and rows; no RUN is left."""
    with pytest.raises(StrategyError, match=f"strategy {HERE}:{name}, .*{said}"):
        replay.run(short_tape, output=tmp_path / "run", strategy=getattr(user_strategies, name))
    assert not list(tmp_path.iterdir())


def test_failure_of_a_process(short_tape: Path, tmp_path: Path) -> None:
    """On screen a failure is one line; BOOKTAPE_TRACEBACK=1 shows the line of the strategy."""
    command = ("replay", short_tape, "--strategy", f"{HERE}:Raises", "-o", tmp_path / "run")
    done = booktape(*command)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: strategy {HERE}:Raises, ETH-USD, rows 1 to ")
    shown = booktape(*command, env={**clean_environment(), "BOOKTAPE_TRACEBACK": "1"})
    assert shown.returncode == 1
    assert 'raise ValueError("this one fails' in shown.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_colon", "'no_colon' is not of the form module:factory"),
        (":Spreads", "is not of the form module:factory"),
        ("a b:Spreads", "is not of the form module:factory"),
        ("no_such_module_here:Spreads", "no module 'no_such_module_here', here or installed"),
        ("tests.no_such_module:Spreads", "no module 'tests.no_such_module', here or installed"),
        (f"{HERE}:Missing", f"module {HERE} has no callable Missing"),
        (f"{HERE}:not_callable", f"module {HERE} has no callable not_callable"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "record", "live"])
def test_wrong_name(short_tape: Path, tmp_path: Path, command: str, name: str, said: str) -> None:
    """An unknown strategy is a usage error before anything starts."""
    subject: dict[str, tuple[object, ...]] = {
        "replay": (short_tape,),
        "record": ("BTC-USD", "-o", tmp_path / "tape"),
        "live": ("BTC-USD",),
    }
    done = invoke(command, *subject[command], "--strategy", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_module_that_fails(short_tape: Path) -> None:
    """A module that cannot be imported is one line that says why."""
    line = told(short_tape, "tests.support.fails_on_import:Any")
    assert (
        "tests.support.fails_on_import:Any, on import: ModuleNotFoundError: No module named 'no_such" in line
    )


def test_module_in_the_current_directory(short_tape: Path, tmp_path: Path) -> None:
    """The installed command finds a module in the current directory, which is not on its path."""
    text = (ROOT / "booktape" / "examples" / "episode_alert.py").read_text(encoding="utf-8")
    (tmp_path / "of_mine.py").write_text(text, encoding="utf-8")
    front_door = "import sys; sys.path.remove(''); from booktape.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", front_door, "replay", str(short_tape), "--strategy", "of_mine:EpisodeAlert"],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Strategy of_mine:EpisodeAlert: " in done.stdout
    assert os.listdir(tmp_path) == ["of_mine.py"]  # noqa: PTH208  names are wanted


def test_the_current_directory_shadows_no_module(short_tape: Path, tmp_path: Path) -> None:
    """A file that is named like a module of Python or of a package is not imported in its place."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    text = (ROOT / "booktape" / "examples" / "episode_alert.py").read_text(encoding="utf-8")
    (tmp_path / "of_mine.py").write_text(f"{text}\nimport colorsys\n", encoding="utf-8")
    for name, code, said in (
        ("of_mine:EpisodeAlert", 0, "Strategy of_mine:EpisodeAlert: "),
        ("colorsys:EpisodeAlert", 2, "module colorsys has no callable EpisodeAlert (it is /"),
    ):
        done = booktape("replay", short_tape, "--strategy", name, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert said in done.stdout + " ".join(done.stderr.split())
