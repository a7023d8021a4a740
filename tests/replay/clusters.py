"""Running a flow as a bytewax cluster on loopback."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.replay.tapes import ROOT, TIMEOUT_S, clean_environment


def free_addresses(number: int) -> list[str]:
    """Return addresses on loopback whose ports were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def run_cluster(build: str, tape: Path, output: Path, processes: int) -> None:
    """Replay a tape in a bytewax cluster on loopback, by a flow of `cluster_flow`."""
    output.mkdir()
    addresses = ";".join(free_addresses(processes))
    flow = f"tests.replay.cluster_flow:{build}({str(tape)!r}, {str(output)!r})"
    command = [sys.executable, "-m", "bytewax.run", flow, "-a", addresses, "-i"]
    with ExitStack() as stack:
        running_ = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(index)],
                    cwd=ROOT,
                    env=clean_environment(),
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for index in range(processes)
        ]
        for process in running_:
            stack.callback(process.kill)
        for process in running_:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, stderr
