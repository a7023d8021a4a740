"""`booktape serve` as a process: its output, its end, its errors."""

import json
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from booktape.cli.main import cli
from tests.support.commands import Running, booktape, end, invoke, running_booktape
from tests.support.constants import BTC, MS, SAMPLE
from tests.support.tape_server import WAIT_S, client, subscribe, until_closed
from tests.support.tapes import import_frames, snapshot, update


def address(process: Running) -> str:
    """Wait for the line that tells the address and return it."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("serving ")
    return next(word for word in line.split() if word.startswith("ws://"))


@pytest.mark.parametrize(
    ("by", "host"),
    [(signal.SIGTERM, "127.0.0.1"), (signal.SIGINT, "0.0.0.0")],  # noqa: S104  the warning is what is tested
)
def test_serve_runs_until_it_is_stopped(tmp_path: Path, by: signal.Signals, host: str) -> None:
    """One line says where; a signal closes with 1001 and exit 0; who opens it to others is warned."""
    texts = [snapshot(BTC), update(BTC)]
    tape = import_frames(tmp_path, [(0, texts[0]), (3_600_000 * MS, texts[1])])
    serve = running_booktape("serve", tape, "--port", 0, "--host", host, "--loop", "--speed", "2.5")
    with serve as process, client(address(process)) as websocket:
        subscribe(websocket, BTC)
        assert json.loads(websocket.recv(timeout=WAIT_S))["type"] == "subscriptions"
        assert websocket.recv(timeout=WAIT_S) == texts[0]
        stdout, stderr = end(process, by)
        assert until_closed(websocket) == ([], (1001, ""))
    assert stdout == ""
    warned = [line for line in stderr.splitlines() if "INFO" not in line]
    assert len(warned) == (host != "127.0.0.1")
    assert all("WARNING" in line and host in line for line in warned)


def test_a_port_that_is_taken_is_one_line() -> None:
    """It names host and port and exits 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = booktape("serve", SAMPLE, "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [f"Error: cannot listen on 127.0.0.1:{port} (Address already in use)"]


def test_other_errors(tmp_path: Path) -> None:
    """A path that is not a tape is one line and exit 1, a window without rows wrong usage."""
    done = invoke("serve", tmp_path, "--port", 0)
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr
    done = invoke("serve", SAMPLE, "--from", "2030-01-01T00:00:00Z", "--port", 0)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "its last row is of 2026-01-01 00:02:01" in done.stderr


def test_fault_is_an_option() -> None:
    """`--fault` can be repeated; what is not a fault is refused with the forms that are."""
    serve = cli.commands["serve"]
    options = [str(SAMPLE), "--fault", "drop@2.5", "--fault", "stall@10"]
    made = serve.make_context("serve", options, parent=click.Context(cli, **cli.context_settings))
    assert made.params["faults"] == ("drop@2.5", "stall@10")
    done = invoke("serve", SAMPLE, "--fault", "burn@1")
    assert done.exit_code == 2
    assert "drop@SECONDS, stall@SECONDS, garbage@SECONDS" in done.stderr


def test_serve_without_descriptors() -> None:
    """If connections that say nothing take all descriptors, one line says so, and the server goes on."""
    with running_booktape("serve", SAMPLE, "--port", 0, descriptors=60) as process, ExitStack() as stack:
        port = int(address(process).rpartition(":")[2])
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert process.stderr is not None
        line = process.stderr.readline()
        stack.close()
        _, stderr = end(process)
    assert "Too many open files; allow more of them with `ulimit -n`" in line
    assert stderr == ""
