"""What `kill -9` takes from `booktape record`: `python tests/benchmarks/bench_kills.py`. Linux only.

A server sends numbered frames at an even rate. A recorder writes them to a tape while a part of it is busy or
blocked: nothing, a seal of 256 MiB, a strategy that sleeps or computes for ever, a stderr that nobody reads.
It is killed at random times; the figure is how long before the kill the oldest frame that is not on the tape
was sent. The times between the ends of two syncs of the journal are measured, too. The exit code is 1 if a
frame is missing before one that is on the tape.
"""

import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from websockets.asyncio.server import ServerConnection

from recorder.tape.reader import Tape
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread
from tests.endurance.blocked_recorder import SYNCS
from tests.support.constants import BTC, ROOT
from tests.support.scripted_server import ScriptedServer
from tests.support.tapes import snapshot, update

CASES: Final = ("nothing", "a seal of 256 MiB", "strategy", "busy strategy", "stderr")
RATE: Final = 1_000
FRAME_BYTES: Final = 200
SEALED_FRAMES: Final = 4_096
SEALED_FRAME_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 120.0
_NUMBER: Final = re.compile(r'"97", ?"([0-9]+)"')


@dataclass
class Sender:
    """Sends numbered frames to one client at an even rate, and notes when.

    Attributes:
        large: number of large frames to send before them, as fast as the client takes them.
        sent: time on the monotonic clock at which each frame was handed to the socket.
    """

    large: int
    sent: list[float] = field(default_factory=list)

    async def __call__(self, _number: int, connection: ServerConnection) -> None:
        """Send until the client is gone."""
        await connection.send(snapshot(BTC, [["99", "1"]]))
        for _ in range(self.large):
            await self._send(connection, SEALED_FRAME_BYTES)
        began = time.monotonic()
        while True:
            while len(self.sent) - self.large < (time.monotonic() - began) * RATE:
                await self._send(connection, FRAME_BYTES)
            await asyncio.sleep(0.001)

    async def _send(self, connection: ServerConnection, size: int) -> None:
        update_text = update(BTC, ("buy", "97", str(len(self.sent) + 1)))
        padding = random.randbytes(size // 2).hex()
        self.sent.append(time.monotonic())
        await connection.send(f'{update_text[:-1]},"padding":"{padding}"}}')


@dataclass(frozen=True)
class Killed:
    """One recording that was killed.

    Attributes:
        frames: number of frames on its tape.
        lost: number of frames that were sent and are not on it.
        lost_ms: how long before the kill the first of them was sent.
        sync_s: most seconds between the ends of two syncs.
        is_prefix: whether the frames on the tape are the first that were sent.
    """

    frames: int
    lost: int
    lost_ms: float
    sync_s: float
    is_prefix: bool


@contextmanager
def recorder(case: str, tape: Path, url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a recorder until the part is blocked, and then while the block runs."""
    mark, syncs = tape.with_suffix(".blocked"), tape.with_suffix(".syncs")
    options = ["record", BTC, "-o", str(tape), "--url", url, "--engine", "plain", "--segment-rows", "1000000"]
    if "strategy" in case:
        name = "Spins" if "busy" in case else "Blocks"
        options += ["--strategy", f"tests.endurance.blocked_recorder:{name}"]
    command = [sys.executable, "-m", "tests.endurance.blocked_recorder", case, str(mark), *options]
    pipe, environment = subprocess.PIPE, {**ENVIRONMENT, SYNCS: str(syncs)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe) as process:
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while not _is_ready(case, tape, mark):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.001)
            yield process
        finally:
            process.kill()


def _is_ready(case: str, tape: Path, mark: Path) -> bool:
    """Tell whether the part is blocked, or a segment is being sealed, and rows arrive."""
    if "seal" in case:
        return any(tape.glob("product=*/date=*/*.parquet.tmp"))
    return any(tape.glob("product=*/_journal/*")) and (case == "nothing" or mark.exists())


def kill_once(case: str, home: Path) -> Killed:
    """Record, kill and compare."""
    is_seal = "seal" in case
    sender = Sender(SEALED_FRAMES if is_seal else 0)
    tape = home / "tape"
    with ScriptedServer(sender) as server, recorder(case, tape, server.url) as process:
        time.sleep(random.random() * 0.5 if is_seal else 1.5 + random.random())
        killed = time.monotonic()
        process.kill()
        sent = list(sender.sent)
    numbers = [int(number) for text in _payloads(tape) for number in _NUMBER.findall(text)]
    lost = [when for when in sent[len(numbers) :] if when < killed]
    noted = tape.with_suffix(".syncs")
    syncs = [float(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    return Killed(
        len(numbers),
        len(lost),
        (killed - lost[0]) * 1e3 if lost else 0.0,
        max((two - one for one, two in pairwise(syncs)), default=0.0),
        numbers == list(range(1, len(numbers) + 1)),
    )


def _payloads(tape: Path) -> Iterator[str]:
    for batch in Tape.open(tape).product(BTC).batches():
        yield from batch.column("payload").to_pylist()


def main() -> int:
    """Measure and print; return 1 if a tape has a hole."""
    options = parser(__doc__.partition(":")[0], runs=10)
    options.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    asked = options.parse_args()
    print_line(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}")
    is_whole = True
    for case in asked.cases:
        found = []
        for _ in range(asked.runs):
            with tempfile.TemporaryDirectory() as home:
                found.append(kill_once(case, Path(home)))
        is_whole = is_whole and all(each.is_prefix for each in found)
        print_line(
            f"blocked: {case}; {len(found)} kills, {sum(each.frames for each in found):,} frames kept\n"
            f"  first frame lost was sent before the kill, ms: "
            f"{spread([each.lost_ms for each in found], '.1f')}\n"
            f"  between syncs at most, s: {spread([each.sync_s for each in found], '.2f')}"
        )
    return int(not is_whole)


if __name__ == "__main__":
    sys.exit(main())
