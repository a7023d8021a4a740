"""Work on a real cluster: workers and schedulers that are killed, are not there, or do not have the tape."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from orderbook.document import to_json
from recorder.tape.errors import TapeError
from recorder.tape.reader import Tape
from replay.comparing.pieces import run_piece
from replay.comparing.settings import CompareSettings
from replay.comparing.totals import Work
from replay.pieces.cluster import ClusterWorkers
from replay.pieces.cutting import cut_for_workers
from replay.pieces.dask_cluster import DaskCluster, dask_cluster
from replay.processes.starting import LostProcessError
from replay.running.window import WHOLE
from tests.support.commands import invoke, json_of, running_booktape
from tests.support.constants import TIMEOUT_S
from tests.support.dask import (
    DaskProcesses,
    DoomedCluster,
    client_of,
    dask_processes,
    marked,
    wait_for,
)
from tests.support.pieces import PRODUCTS, rows_of

THRESHOLDS = ("1bps", "10bps")
FEW = PRODUCTS[1:]


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """Return a scheduler with two workers. Kill none of them."""
    with dask_processes(tmp_path_factory.mktemp("dask"), 2) as processes:
        yield processes


def test_a_command_on_a_cluster(dask: DaskProcesses, interrupted: dict[str, Path], tmp_path: Path) -> None:
    """Numbers, episodes and rows of a RUN are those of one process."""
    tape = interrupted["some"]
    few = [each for product in FEW for each in ("-p", product)]
    options = [*few, *(each for threshold in THRESHOLDS for each in ("--threshold", threshold))]
    found = json_of("compare", tape, *options, "--cluster", dask.address, "-o", tmp_path / "shared")
    alone = json_of("compare", tape, *options, "-o", tmp_path / "alone")
    for name in ("rows", "spread", "quality", "digest", "tapes"):
        assert found[name] == alone[name]
    assert rows_of(tmp_path / "shared", "episodes") == rows_of(tmp_path / "alone", "episodes")
    replayed = json_of("replay", tape, *few, "--cluster", dask.address)
    assert replayed["products"] == json_of("replay", tape, *few)["products"]


def test_a_client_of_yours(dask: DaskProcesses, interrupted: dict[str, Path]) -> None:
    """From Python a client shares the work, and stays open; a tape without sidecars is verified as well."""
    tape = bt.open(interrupted["as recorded"])
    with client_of(dask) as client:
        found = tape.compare(THRESHOLDS, products=PRODUCTS, client=client)
        assert to_json(found.rows()) == to_json(tape.compare(THRESHOLDS, products=PRODUCTS).rows())
        assert client.status == "running"
        with pytest.raises(bt.OptionError, match="who works"):
            tape.compare(THRESHOLDS, client=client, processes=2)
        with pytest.raises(bt.OptionError, match="strategy"):
            tape.replay(client=client, strategy="booktape.examples.episode_alert:EpisodeAlert")


def test_a_backtest_on_a_cluster(dask: DaskProcesses, tmp_path: Path) -> None:
    """Its numbers and its RUN are those of one process, and so are the steps of a walk."""
    tape, runs = bt.open("sample:"), (tmp_path / "alone", tmp_path / "shared")
    options: dict[str, Any] = {"sweep": {"threshold": [0.0, 0.001]}, "engine": "compiled"}
    walk: dict[str, Any] = {**options, "walk": "2s:1s", "end": "+5s"}
    alone = tape.backtest(output=runs[0], end="+5s", **options)
    with client_of(dask) as client:
        found = tape.backtest(client=client, output=runs[1], end="+5s", **options)
        assert tape.walk_forward(client=client, **walk).steps == tape.walk_forward(**walk).steps
    assert (found.rows, found.execution_digest) == (alone.rows, alone.execution_digest)
    assert bt.diff(*runs).is_equal
    files = [{path.relative_to(run) for path in run.rglob("*")} for run in runs]
    assert files[0] == files[1]


def test_a_worker_without_the_tape(dask: DaskProcesses, interrupted: dict[str, Path], tmp_path: Path) -> None:
    """One line says which worker, and what it needs."""
    opened = Tape.open(interrupted["as recorded"])
    sent = replace(opened.to_send(elsewhere=True), path=tmp_path / "nowhere")
    work = Work([sent], ["tape"], [PRODUCTS], CompareSettings((0.001,), PRODUCTS), "plain", None, ())
    pieces = cut_for_workers([(opened, PRODUCTS)], WHOLE, 2)
    with client_of(dask) as client, pytest.raises(TapeError, match=r"nowhere.*on the worker") as caught:
        ClusterWorkers(DaskCluster(client)).merged(run_piece, work, pieces)
    assert "\n" not in str(caught.value)


def compared(tape: bt.Tape, output: Path, client: Any) -> Any:
    """Return the rows of a comparison and of the episodes in its RUN."""
    options: dict[str, Any] = {"products": FEW, "engine": "compiled", "output": output, "client": client}
    return to_json(tape.compare(THRESHOLDS, **options).rows()), rows_of(output, "episodes")


def verified(tape: bt.Tape, _output: Path, client: Any) -> Any:
    """Return what `verify` found."""
    return to_json(tape.verify(engine="compiled", client=client).document())


def exported(tape: bt.Tape, output: Path, client: Any) -> Any:
    """Return the files of an export."""
    tape.export(output, to="parquet", products=FEW, engine="compiled", client=client)
    return files_of(output)


def backtested(tape: bt.Tape, output: Path, client: Any) -> Any:
    """Return the rows of a backtest and the files of its RUN; each worker has some of the settings."""
    options: dict[str, Any] = {"products": FEW, "engine": "compiled", "output": output, "client": client}
    options |= {"sweep": {"half_spread": ("1bps", "2bps", "5bps")}, "keep": False}
    found = tape.backtest("booktape.examples.market_making:MarketMaker", **options)
    return found.rows, found.execution_digest, files_of(output)


def files_of(output: Path) -> dict[str, bytes]:
    """Return the files of an output but for its document, which tells times of the machine."""
    files = (path for path in output.rglob("*") if path.is_file() and path.suffix != ".json")
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def test_what_is_killed(interrupted: dict[str, Path], tmp_path: Path) -> None:
    """A worker that is killed before it returns a piece changes nothing; without a scheduler all ends."""
    tape, commands = bt.open(interrupted["as recorded"]), (compared, verified, exported, backtested)
    with dask_processes(tmp_path, len(commands) + 1) as processes, client_of(processes) as client:
        client.wait_for_workers(len(commands) + 1)
        for command in commands:
            name = command.__name__
            with ThreadPoolExecutor(1) as thread:
                doomed = DoomedCluster(client, tmp_path / f"{name}.pid")
                waiting = thread.submit(command, tape, tmp_path / f"{name} shared", doomed)
                os.kill(marked(tmp_path / f"{name}.pid"), signal.SIGKILL)
                found = waiting.result()
            assert found == command(tape, tmp_path / f"{name} alone", None), name
        with ThreadPoolExecutor(1) as thread:
            doomed = DoomedCluster(client, tmp_path / "last.pid")
            waiting = thread.submit(verified, tape, tmp_path, doomed)
            marked(tmp_path / "last.pid")
            os.kill(processes.scheduler, signal.SIGKILL)
            with pytest.raises(LostProcessError, match="cluster is lost"):
                waiting.result()


@pytest.mark.parametrize(
    ("address", "why"), [("tcp://127.0.0.1:1", "no scheduler answers"), ("local:none", "write local:4")]
)
def test_no_cluster(address: str, why: str) -> None:
    """A scheduler that cannot be reached is one line and exit code 2."""
    done = invoke("compare", "sample:", "--threshold", "1bps", "--cluster", address)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr
    assert "--cluster" in done.stderr


def test_ctrl_c_while_local_workers_start() -> None:
    """Ctrl-C goes to each process of a terminal: one line and exit code 1, and no process is left."""
    command = ("compare", "sample:", "--threshold", "1bps", "--cluster", "local:2")
    with running_booktape(*command, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        threads = children.parent.parent
        wait_for(
            lambda: (
                process.poll() is not None
                or any((thread / "children").read_text() for thread in threads.iterdir())
            )
        )
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (1, "Error: interrupted\n")
    assert not [each for each in _session(process.pid) if each != process.pid]


def _session(number: int) -> list[int]:
    """Return the live processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            if int(session) == number and state != "Z":
                found.append(int(path.parent.name))
    return found


def test_two_local_clusters_at_once(recwarn: pytest.WarningsRecorder) -> None:
    """No port is fixed: a second run says nothing of that of the first."""
    with dask_cluster("local:1"), dask_cluster("local:1") as second:
        assert second.width == 1
    assert not [str(each.message) for each in recwarn if "8787" in str(each.message)]
