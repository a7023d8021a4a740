"""A clock that is wrong, set, or ahead of the tape is told once, as it happens."""

import logging

import pytest

from orderbook.engine import PlainEngine
from orderbook.times import format_time
from recorder.monitor.clock_log import ClockLog
from tests.support.constants import BTC, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import to_batch
from tests.support.tapes import snapshot

HOUR = 3600 * SECOND


class Machine:
    """A machine whose clock and whose uptime are set by hand."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 5 * SECOND
        self.log = ClockLog(lambda: self.wall, lambda: self.monotonic)
        self._engine = PlainEngine()
        self._seq = 0

    def frame(self, recv_time: int, exchange_time: int, connection: int = 0) -> None:
        """Record a frame of a connection."""
        text = snapshot(BTC).removesuffix("}") + f',"time":"{format_time(exchange_time)}"}}'
        rows = to_batch([Row(self._seq, recv_time, connection, "frame", text)])
        self._seq += 1
        _, step = self._engine.step(self._engine.start(BTC, "exchange"), rows)
        self.log.update(BTC, step)

    def passes(self, seconds: int) -> None:
        """Let time pass."""
        self.wall += seconds * SECOND
        self.monotonic += seconds * SECOND


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return a list that grows with the lines that are logged."""
    caplog.set_level(logging.INFO)
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logging.getLogger("recorder.monitor.clock_log").addHandler(Lines())
    return lines


def test_right_clocks_say_nothing(said: list[str]) -> None:
    """Rows that wait for seconds, and frames that come seconds late, are ordinary."""
    machine = Machine()
    for _ in range(50):
        machine.passes(3)
        machine.frame(machine.wall - 2 * SECOND, machine.wall - 20 * SECOND)
    assert said == []


def test_a_tape_that_is_ahead_of_the_clock(said: list[str]) -> None:
    """After a run with a clock that was ahead, every connection is told, and that the frames agree."""
    machine = Machine()
    for connection in (0, 0, 1):
        machine.passes(1)
        machine.frame(machine.wall + 8 * HOUR, machine.wall, connection)
    ahead = "BTC-USD: the tape's last row is 8.0 h ahead of the clock; recv_time continues from there"
    assert said == [ahead, "BTC-USD: recv_time is 8.0 h after the frames' own time"] * 2


def test_a_clock_that_is_set(said: list[str]) -> None:
    """A step of the clock, or a time asleep, is told as it happens, and once."""
    machine = Machine()
    recv_time = START
    for step in (0, 0, 2 * HOUR, 0, -2 * HOUR, 0, 4 * SECOND):
        machine.passes(1)
        recv_time += SECOND
        machine.wall += step
        machine.frame(recv_time, recv_time)
    assert [line.partition(";")[0] for line in said] == [
        "the clock was set forward by 2.0 h",
        "the clock was set back by 2.0 h",
    ]
