"""`booktape view` as a process: its output, its end, its errors."""

import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import booktape, end, running_booktape
from tests.support.constants import SAMPLE, TIMEOUT_S


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_view_runs_until_it_is_stopped(by: signal.Signals) -> None:
    """The address is the only line on stdout; a signal ends it with 0, though clients are connected."""
    with running_booktape("view", SAMPLE, "--port", 0) as process, socket.socket() as silent:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        assert address.hostname == "127.0.0.1"
        silent.connect((address.hostname, address.port))
        connection = HTTPConnection(address.hostname, address.port or 0, timeout=TIMEOUT_S)
        connection.request("GET", f"{address.path}sources")
        assert b"ETH-USD" in connection.getresponse().read()
        connection.close()
        stdout, stderr = end(process, by)
    assert stdout == ""
    assert len(stderr.splitlines()) == 1


def test_errors_are_one_line(tmp_path: Path) -> None:
    """A port that is taken, and a path that is no tape."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = booktape("view", SAMPLE, "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    reason = "(Address already in use): name another one, --port 0 for any"
    assert done.stderr.splitlines() == [f"Error: cannot listen on 127.0.0.1:{port} {reason}"]
    done = booktape("view", tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
