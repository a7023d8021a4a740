"""Several processes share the pieces of a replay, or its products: the results are those of one process."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from pickle import PicklingError

import pytest

from booktape.examples.episode_alert import EpisodeAlert
from orderbook.document import to_json
from orderbook.errors import BooktapeError
from recorder.runtime.loading import load_engine
from recorder.tape.reader import Tape
from replay.processes.balancing import balanced
from replay.processes.pool import WorkerPool
from replay.processes.starting import LostProcessError
from replay.running.api import run
from replay.running.settings import ReplaySettings
from tests.support.commands import Running, booktape, invoke, json_of, python, running_booktape
from tests.support.constants import MS
from tests.support.dask import wait_for
from tests.support.fork import FORK
from tests.support.pieces import rows_of
from tests.support.pool_work import fail_or_die, number_and_start, variable, why_no_pool
from tests.support.tapes import digests_of, import_frames, snapshot, update

PRODUCTS = ("A-USD", "B-USD", "C-USD", "D-USD")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of four products, the first as large as the three others."""
    frames = [(0, snapshot(product)) for product in PRODUCTS]
    for number in range(600):
        product = PRODUCTS[0] if number % 2 else PRODUCTS[1 + number // 2 % 3]
        price = f"99.{number % 7}{number % 3}"
        frames.append((number * MS, update(product, ("buy", price, str(number % 5)))))
    return import_frames(tmp_path_factory.mktemp("processes"), frames, segment_rows=100)


@pytest.mark.parametrize("options", [(), ("--from", "+100ms", "--to", "+400ms", "--speed", "5")])
def test_results_are_those_of_one_process(tape: Path, options: tuple[str, ...]) -> None:
    """With several processes every count and digest is the same."""
    alone = json_of("replay", tape, *options)
    shared = json_of("replay", tape, *options, "--processes", "2")
    assert shared["products"] == alone["products"]
    assert digests_of(shared) == digests_of(alone)
    assert shared["settings"] == {**alone["settings"], "processes": 2}
    if options:
        assert shared["pacing"].keys() == alone["pacing"].keys()


def test_tables_and_a_run_directory_are_the_same(tape: Path, tmp_path: Path) -> None:
    """Several processes return and write the same as one process, with depth and strategy."""
    runs = [tmp_path / "alone", tmp_path / "shared"]
    alone, shared = (
        run(tape, ReplaySettings(depth=2, processes=number), output=runs[number - 1], strategy=EpisodeAlert)
        for number in (1, 2)
    )
    for stream in ("summaries", "signals", "anomalies", "depth", "strategy_rows"):
        assert getattr(shared, stream) == getattr(alone, stream)
    assert shared.document()["strategy_digest"] == alone.document()["strategy_digest"]
    names = [sorted(str(path.relative_to(each)) for path in each.rglob("*.*")) for each in runs]
    assert names[0] == names[1]
    assert invoke("diff", *runs).exit_code == 0
    assert json.loads((runs[1] / "run.json").read_bytes()) == json.loads(to_json(shared.document()))


def test_products_are_balanced_by_bytes(tape: Path) -> None:
    """The largest product gets a process to itself; no process is without a product."""
    products = [(Tape.open(tape), PRODUCTS)]
    assert balanced(products, 2) == [(PRODUCTS[0],), PRODUCTS[1:]]
    assert sorted(balanced(products, 9)) == [(product,) for product in PRODUCTS]
    assert balanced(products, 1) == [PRODUCTS]


def test_a_comparison_is_that_of_one_process(tape: Path, tmp_path: Path) -> None:
    """Several processes compare as one does: rows, quality, digests and episodes, over several tapes too."""
    other = tmp_path / "other"
    frames = [(0, snapshot(product)) for product in PRODUCTS[1:]]
    other.mkdir()
    tapes = tape, import_frames(other, [*frames, (2_000 * MS, update(PRODUCTS[1], ("sell", "101", "0")))])
    options = ("--threshold", "1bps", "--threshold", "1.05%", "--by", "hour")
    alone = json_of("compare", *tapes, *options, "-o", tmp_path / "alone")
    shared = json_of("compare", *tapes, *options, "-o", tmp_path / "shared", "--processes", "2")
    for name in ("rows", "spread", "quality", "tapes", "episodes_of", "engine"):
        assert shared[name] == alone[name]
    written = [rows_of(tmp_path / run, "episodes") for run in ("alone", "shared")]
    assert written[0] == written[1]
    assert sum(map(len, written[0].values())) > 0


def test_a_damaged_tape_is_reported_once(tape: Path, tmp_path: Path) -> None:
    """Damage that one process finds ends all of them, with one line and without a RUN."""
    copied = tmp_path / "tape"
    shutil.copytree(tape, copied)
    path = min(copied.glob("product=B-USD/date=*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-5])
    done = booktape("replay", copied, "--processes", "2", "-o", tmp_path / "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert path.name in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["tape"]


@pytest.mark.parametrize(
    "command", [("replay",), ("compare", "--threshold", "1bps"), ("export", "--to", "parquet", "-o", "out")]
)
def test_damage_is_named_as_typed(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """With several processes an error names a file as with one."""
    shutil.copytree(tape, tmp_path / "tape")
    path = min(tmp_path.glob("tape/product=B-USD/date=*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-5])
    monkeypatch.chdir(tmp_path)
    alone, shared = (invoke(command[0], "tape", *command[1:], "--processes", n) for n in (1, 2))
    assert (shared.exit_code, shared.stderr) == (1, alone.stderr)
    assert str(path.relative_to(tmp_path)) in shared.stderr


@pytest.mark.parametrize("options", [("--follow",), ("--speed", "1", "--idle-limit", "1s")])
def test_options_that_need_one_clock_are_refused(tape: Path, options: tuple[str, ...]) -> None:
    """To follow a recording and to cut silences, one process must see all products."""
    done = invoke("replay", tape, "--processes", "2", *options)
    assert done.exit_code == 2
    assert "--processes" in done.stderr


def children_of(pid: int, word: bytes) -> list[int]:
    """Return the processes that a process started and whose command line has a word."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(each) for each in pids if word in Path(f"/proc/{each}/cmdline").read_bytes()]


def running_children(pid: int) -> list[int]:
    """Return the worker processes of a command: forks of one that it has started."""
    firsts = children_of(pid, b"spawn_main")
    return [each for first in firsts for each in children_of(first, b"spawn_main")]


def is_importing(pid: int) -> bool:
    """Return whether a process has begun to import what the work needs."""
    return b"numpy" in Path(f"/proc/{pid}/maps").read_bytes()


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def slow_replay(tape: Path, tmp_path: Path) -> Iterator[Running]:
    """Run a replay of minutes in two processes, and return once both write."""
    options = ("--speed", "0.001", "--processes", "2", "-o", tmp_path / "run")
    with running_booktape("replay", tape, *options, as_user=True) as process:
        wait_for(
            lambda: (
                process.poll() is not None
                or (list(tmp_path.glob("_run.*/summaries")) and len(running_children(process.pid)) == 2)
            )
        )
        assert process.poll() is None
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all(slow_replay: Running, tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends all processes with one line and exit code 1, and nothing of the RUN is left."""
    children = running_children(slow_replay.pid)
    slow_replay.send_signal(number)
    stdout, stderr = slow_replay.communicate(timeout=60)
    assert (slow_replay.returncode, stdout, stderr.count("\n")) == (1, "", 2)
    assert "interrupted" in stderr
    assert not [child for child in children if is_running(child)]
    assert not list(tmp_path.iterdir())


def test_a_killed_process_is_reported(slow_replay: Running, tmp_path: Path) -> None:
    """If the system kills one process, the others end too and no RUN is published."""
    os.kill(max(running_children(slow_replay.pid)), signal.SIGKILL)
    stdout, stderr = slow_replay.communicate(timeout=60)
    assert (slow_replay.returncode, stdout, stderr.count("\n")) == (1, "", 2)
    assert "died" in stderr
    assert not list(tmp_path.iterdir())


def test_processes_end_with_the_one_that_started_them(slow_replay: Running) -> None:
    """If the parent is killed, its worker processes end."""
    children = running_children(slow_replay.pid)
    slow_replay.kill()
    slow_replay.communicate(timeout=60)  # which ends only when no process holds the pipes any more
    # The system closes the pipes of a process that ends a moment before the process is gone.
    wait_for(lambda: not any(is_running(child) for child in children))


def test_ctrl_c_while_processes_start(tape: Path) -> None:
    """Ctrl-C, which all processes of a terminal get, ends a command with one line whatever they do."""
    with running_booktape(
        "compare", tape, "--processes", "2", as_user=True, start_new_session=True
    ) as process:
        wait_for(
            lambda: (
                process.poll() is not None or any(map(is_importing, children_of(process.pid, b"spawn_main")))
            )
        )
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (1, "")
    assert re.fullmatch(r"Error: interrupted(; nothing was \w+)?\n", stderr)


def test_a_file_of_the_working_directory_is_no_module(tape: Path, tmp_path: Path) -> None:
    """No process takes a file that lies where the command is run for what it needs."""
    for name in ("numpy", "pyarrow", "replay", "click"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n", encoding="utf-8")
    with running_booktape("compare", tape, "--processes", "2", cwd=tmp_path, as_user=True) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert "A-USD" in stdout


def test_processes_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that a program sets or removes between two calls, as keys of a store, count in the next."""
    for value in ("first", "second"):
        monkeypatch.setenv("BOOKTAPE_OF_A_TEST", value)
        with WorkerPool(variable, 1, "plain") as pool:
            assert pool.run(["BOOKTAPE_OF_A_TEST"]) == [value]
    monkeypatch.delenv("BOOKTAPE_OF_A_TEST")
    with WorkerPool(variable, 1, "plain") as pool:
        assert pool.run(["BOOKTAPE_OF_A_TEST"]) == [None]


def test_a_process_of_a_pool_says_that_it_can_start_none() -> None:
    """A process of `multiprocessing.Pool` may have no children, a process of an executor may."""
    with FORK.Pool(1) as pool:
        assert "ProcessPoolExecutor" in pool.apply(why_no_pool)
    with ProcessPoolExecutor(1, FORK) as executor:
        assert executor.submit(why_no_pool).result() == ""


COMPARE = """
import sys
import booktape
if __name__ == "__main__":
    found = booktape.compare(sys.argv[1], "10bps", processes=2, engine="compiled")
    print(found.engine, "llvmlite" in sys.modules)
"""


def test_a_program_without_a_guard_is_told_what_it_needs(tape: Path, tmp_path: Path) -> None:
    """Each process runs the program of its caller up to a guard; without one it would start processes."""
    program = tmp_path / "program.py"
    program.write_text("import sys, booktape\nbooktape.compare(sys.argv[1], '10bps', processes=2)\n", "ascii")
    done = subprocess.run(
        [sys.executable, program, tape], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert 'needs `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_the_engine_is_loaded_where_it_runs(tape: Path) -> None:
    """The parent process neither imports the compiler nor loads compiled code: its workers do."""
    pytest.importorskip("numba")
    load_engine("compiled")  # kept on disk from here on
    done = python(COMPARE, tape)
    assert (done.stdout.split(), done.stderr) == (["compiled", "False"], "")


@pytest.mark.parametrize("forks", [True, False])
def test_all_start_together(forks: bool) -> None:
    """Every process gets the same start, and results come in the order of the parts."""
    with WorkerPool(number_and_start, 2, "plain", forks=forks) as pool:
        found = pool.run([3, 1])
    assert [number for number, _ in found] == [3, 1]
    assert len({start for _, start in found}) == 1


@pytest.mark.parametrize("forks", [True, False])
def test_failures_reach_the_caller(forks: bool) -> None:
    """The caller gets the exception of a process that failed, and an error for one that died."""

    def pool_of(number: int) -> WorkerPool[int, int]:
        return WorkerPool(fail_or_die, number, "plain", forks=forks)

    with pytest.raises(BooktapeError, match="the first"), pool_of(2) as pool:
        pool.run([0, 1])
    with pytest.raises(LostProcessError, match="exit code 7"), pool_of(2) as pool:
        pool.run([0, 2])
    with pool_of(1):
        pass  # no part is run


def test_what_cannot_be_imported_is_told() -> None:
    """If what processes need cannot be imported, the caller is told why, without a traceback of theirs."""
    pool = WorkerPool[str, str | None](variable, 2, "plain", "tests.support.fails_on_import", forks=True)
    with pytest.raises(LostProcessError, match="cannot start a process: no_such_module"), pool:
        pool.run(["HOME", "HOME"])


def test_a_fork_of_a_program_has_processes_too() -> None:
    """A program that has had processes is forked, as `multiprocessing` does it: the child may have some."""
    with WorkerPool(variable, 1, "plain") as pool:
        pool.run(["HOME"])
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor:
        assert executor.submit(why_no_pool).result() == ""


def test_a_pool_that_cannot_start_leaves_nothing_open() -> None:
    """Work that cannot be sent to a process fails before anything runs, and every pipe is closed."""

    def open_pipes() -> set[str]:
        """Return each open pipe by its number: those of other tests may be closed meanwhile."""
        targets = (str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return {target for target in targets if target.startswith(("pipe:", "socket:"))}

    ensure_running()  # a process of Python's own, for which the first start opens a pipe
    before = open_pipes()
    pool: WorkerPool[int, int] = WorkerPool(lambda number, _wait: number, 3, "plain")
    with pytest.raises((AttributeError, PicklingError)), pool:
        pass
    assert open_pipes() <= before
