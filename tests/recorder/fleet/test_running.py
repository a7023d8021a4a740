"""Recorders that `fleet --run` looks after: what is killed starts again, and a signal seals all."""

import os
import signal
from pathlib import Path

from tests.support.commands import end, running_booktape
from tests.support.constants import BTC, ETH, SAMPLE
from tests.support.tape_server import serving
from tests.support.tapes import tape_rows
from tests.support.verified import assert_whole


def children(pid: int) -> dict[str, int]:
    """Return the processes that a process has started and that run, by the product that they record."""
    found = {}
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text(encoding="ascii").split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            found[words[words.index(b"record") + 1].decode()] = int(child)
    return found


def test_recorders_are_looked_after(tmp_path: Path) -> None:
    """One that is killed starts again and goes on with its tape; SIGTERM lets both seal."""
    file = tmp_path / "fleet.toml"
    with serving(SAMPLE) as url:
        file.write_text(
            f"[all]\ntape = '{tmp_path}/{{recorder}}'\nurl = '{url}'\n"
            f"[recorder.btc]\nproducts = ['{BTC}']\n[recorder.eth]\nproducts = ['{ETH}']\n",
            encoding="utf-8",
        )
        with running_booktape("fleet", file, "--run") as process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            ended = {"btc": 0, "eth": 0}
            while min(ended.values()) == 0:  # all that is served once has been received
                line = next(lines)
                ended["eth" if line.startswith("eth | ") else "btc"] += "connecting again" in line
            before = children(process.pid)
            os.kill(before[BTC], signal.SIGKILL)
            assert next(line for line in lines if line.startswith("btc | ended with code -9; starts again"))
            assert next(line for line in lines if line.startswith("btc | {") and "connecting again" in line)
            assert children(process.pid)[ETH] == before[ETH]
            end(process)
    for name in ("btc", "eth"):
        assert_whole(tmp_path / name)
        connections = {row.connection for row in tape_rows(tmp_path / name, f"{name.upper()}-USD")}
        assert len(connections) > 1
