"""A recorder of which one part is blocked: what is received reaches the journal all the same.

A seal, a strategy or a terminal that never returns must not keep a frame from the tape: not before kill -9,
and not over a connection that ends meanwhile.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.commands import clean_environment, end, running_booktape
from tests.support.constants import BTC, ROOT
from tests.support.rows import read_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

MODULE = "tests.endurance.blocked_recorder"
CONNECTION_FRAMES = 400
CONNECTIONS = cases(10, 1)
SEGMENT_ROWS = 150


@contextmanager
def blocked_recorder(
    blocked: str, tape: Path, url: str, *options: object
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a recorder while the block runs; what it writes is read by nobody."""
    mark = tape.with_suffix(".blocked")
    record = ("record", BTC, "-o", tape, "--url", url, "--segment-rows", SEGMENT_ROWS, *options)
    command = [sys.executable, "-m", MODULE, blocked, str(mark), *map(str, record)]
    pipe, environment = subprocess.PIPE, clean_environment()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe) as process:
        try:
            wait_until(mark.exists, process)
            yield process
        finally:
            process.kill()


def wait_until(condition: object, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a condition holds; the process must go on until then."""
    assert callable(condition)
    while not condition():
        assert process.poll() is None
        time.sleep(0.1)


def frames_on(tape: Path, connection: int) -> list[str]:
    """Return the frames of a connection as they are on the tape."""
    if not (tape / "_tape.json").exists():
        return []
    return [row.payload for row in read_rows(tape) if row.connection == connection and row.kind == "frame"]


@pytest.mark.parametrize("blocked", ["seal", "strategy", "busy strategy", "stderr"])
def test_a_kill_while_a_part_is_blocked_loses_nothing(tmp_path: Path, blocked: str) -> None:
    """The frames of several connections are on the tape of a killed recorder, and the next one seals them."""
    tape = tmp_path / "tape"
    options: tuple[object, ...] = ()
    if "strategy" in blocked:
        name = "Spins" if "busy" in blocked else "Blocks"
        options = ("--strategy", f"{MODULE}:{name}")
    settings = ExchangeSettings(rate=2_000.0, drop_after=(CONNECTION_FRAMES,) * CONNECTIONS, heartbeats=False)
    with (
        SyntheticExchange([MarketSettings(BTC, depth=20)], settings) as exchange,
        blocked_recorder(blocked, tape, exchange.url, *options) as process,
    ):
        # A connection after the last one to look at has begun, so this one is on the tape to its end.
        wait_until(lambda: bool(frames_on(tape, CONNECTIONS)), process)
        process.kill()
        process.wait()
        rows = read_rows(tape)
        kept = [frames_on(tape, number) for number in range(CONNECTIONS)]
        sent = exchange.sent[:CONNECTIONS]
    assert [row.seq for row in rows] == list(range(len(rows)))
    lost = sum(len(one) - len(other) for one, other in zip(sent, kept, strict=True))
    report(f"blocked {blocked}", connections=CONNECTIONS, frames=sum(map(len, kept)), lost=lost)
    assert kept == sent, [row.payload for row in rows if row.kind == "disconnected"]
    # The next recorder seals what the dead one could not.
    with (
        SyntheticExchange([MarketSettings(BTC, depth=20)]) as exchange,
        running_booktape("record", BTC, "-o", tape, "--url", exchange.url) as resumed,
    ):
        exchange.wait_until(lambda: bool(exchange.connections), timeout=60)
        end(resumed, code=None)  # 1 if it was stopped before its first frame
    assert not verify(tape).damage
    product = Tape.open(tape).product(BTC)
    assert sum(entry.rows for entry in product.segments()) == len(read_rows(tape)) >= len(rows)


def test_a_recorder_that_nobody_reads_can_be_stopped(tmp_path: Path) -> None:
    """With both streams blocked it survives an interruption; SIGTERM ends it with exit 0, all sealed."""
    tape = tmp_path / "tape"
    settings = ExchangeSettings(rate=2_000.0, drop_after=(CONNECTION_FRAMES,) * CONNECTIONS, heartbeats=False)
    with (
        SyntheticExchange([MarketSettings(BTC, depth=20)], settings) as exchange,
        blocked_recorder("stderr", tape, exchange.url, "--threshold", "0.001bps") as process,
    ):
        wait_until(lambda: bool(frames_on(tape, 1)), process)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
    rows = read_rows(tape)
    assert not verify(tape).damage
    assert sum(entry.rows for entry in Tape.open(tape).product(BTC).segments()) == len(rows)
