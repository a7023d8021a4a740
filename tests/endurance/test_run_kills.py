"""kill -9 while a RUN directory is written: RUN is complete or absent, and the next run gets its name.

The replaying process dies by itself at its n-th step or call that changes a file, or from outside a random
number of those after its beginning, which also hits Arrow's own writes. The next run cleans up after it.
"""

import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

import replay
from booktape.examples.episode_alert import EpisodeAlert
from replay.running.settings import ReplaySettings
from tests.endurance.faults import CHANGING, Call, dying_at, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support import tapes
from tests.support.constants import MS
from tests.support.fork import FORK

pytestmark = pytest.mark.timeout(TIMEOUT_S)

NEVER = 2**40
EXPECTED_STREAMS = ("summaries", "signals", "anomalies", "strategy")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape whose replay writes a file of every stream of a RUN."""
    frames = [(0, tapes.snapshot("BTC-USD")), (MS, "no JSON")]
    frames += [(n * MS, tapes.update("BTC-USD", ("buy", f"98.{n}", "1"))) for n in range(2, 90)]
    return tapes.import_frames(tmp_path_factory.mktemp("killed"), frames)


def write_run(
    tape: Path, run: Path, dies_at: int, batch_rows: int = 10, progress: Connection | None = None
) -> None:
    """Replay to a RUN directory and die at a call or step; `progress` gets a byte before each of them."""
    dying = dying_at(dies_at)

    def hook(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        if progress is not None:
            progress.send_bytes(b"x")
        return dying(name, call, arguments)

    def count(_product: str, _step: Any) -> None:
        hook("step", lambda *_: None, ())

    with intercepted(hook, (*CHANGING, "rename")):
        replay.run(
            tape,
            ReplaySettings(batch_rows=batch_rows),
            output=run,
            keep=False,
            progress=count,
            engine="plain",
            strategy=EpisodeAlert,
        )


def assert_whole_or_absent(tape: Path, run: Path) -> bool:
    """Assert that a RUN is absent, or holds all of a replay; return whether it exists."""
    assert all(path == run or path.name.startswith(f"_{run.name}.") for path in run.parent.iterdir())
    if not run.exists():
        return False
    document = msgspec.json.decode((run / "run.json").read_bytes())
    expected = replay.run(tape, strategy=EpisodeAlert)
    assert document["digest"] == expected.digest
    assert document["strategy_digest"] == expected.document()["strategy_digest"]
    tables = (expected.summaries, expected.signals, expected.anomalies, expected.strategy_rows)
    for stream, by_product in zip(EXPECTED_STREAMS, tables, strict=True):
        (path,) = (run / stream / "product=BTC-USD").iterdir()
        assert pq.ParquetFile(path).read().equals(by_product["BTC-USD"].combine_chunks())
    return True


def assert_cleaned_up(run: Path) -> None:
    """Assert that killed replays leave nothing but directories not yet marked as unfinished."""
    assert not list(run.parent.glob(f"_{run.name}.*/_unfinished"))


def killed_at(tape: Path, run: Path, dies_at: int) -> int:
    """Write a RUN in a process that dies by itself and return its exit code."""
    process = FORK.Process(target=write_run, args=(tape, run, dies_at))
    process.start()
    return joined(process)


def killed_after(tape: Path, run: Path, number: int) -> int:
    """Kill a process that writes a RUN after some steps and calls, or at its end; return their number."""
    reports, reporting = FORK.Pipe(duplex=False)
    process = FORK.Process(target=write_run, args=(tape, run, NEVER, 1, reporting))
    process.start()
    reporting.close()
    done = 0
    with reports, suppress(EOFError):
        while done < number:
            reports.recv_bytes()
            done += 1
    process.kill()
    joined(process)
    return done


def joined(process: Any) -> int:
    """Wait for the end of a process; return its exit code."""
    process.join(60)
    assert process.exitcode in {0, -signal.SIGKILL}
    exit_code: int = process.exitcode
    return exit_code


def test_a_kill_at_every_call_leaves_all_or_nothing(tape: Path, tmp_path: Path) -> None:
    """For every n, a replay that dies at its n-th step or call has published a complete RUN or none."""
    found = set()
    for number in range(1, 1_000, cases(1, 3)):
        run = tmp_path / f"at-{number}" / "run"
        run.parent.mkdir()
        exit_code = killed_at(tape, run, number)
        is_there = assert_whole_or_absent(tape, run)
        found.add((exit_code, is_there))
        if not is_there:
            write_run(tape, run, NEVER)
            assert assert_whole_or_absent(tape, run)
            assert_cleaned_up(run)
        if exit_code == 0:
            break
    else:
        pytest.fail("the replay never came to its end")
    assert {(-signal.SIGKILL, False), (0, True)} <= found
    report("kill -9 of a replay at every call", calls=number, partial_runs=0)


def test_kills_from_outside_leave_all_or_nothing(tape: Path, tmp_path: Path) -> None:
    """Killed at any moment, a replay has published a complete RUN or none; the next one cleans up."""
    rng = Random(4)
    run = tmp_path / "run"
    total = killed_after(tape, run, NEVER)
    run.rename(tmp_path / "_run.0")
    published = 0
    kills = cases(200, 8)
    for _ in range(kills):
        # Half of them among the last calls, which close the files and rename RUN.
        killed_after(tape, run, rng.choice((rng.randrange(total), total - rng.randrange(12))))
        if assert_whole_or_absent(tape, run):
            published += 1
            run.rename(tmp_path / f"_run.{published}")
    write_run(tape, run, NEVER)
    assert assert_whole_or_absent(tape, run)
    assert_cleaned_up(run)
    report("kill -9 of a replay at random moments", kills=kills, published=published, partial_runs=0)
