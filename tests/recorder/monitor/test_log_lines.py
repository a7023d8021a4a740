"""The log lines of a recording: its status at intervals, and each kind of anomaly once on a connection."""

import logging
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orderbook.engine import PlainEngine
from orderbook.times import format_time
from recorder.api import record
from recorder.monitor.log_lines import AnomalyLog, ClockLog, status_line
from recorder.monitor.status import RecordingView
from recorder.settings import ConnectionSettings, RecordSettings
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import end, running_booktape
from tests.support.constants import BTC, ETH, SECOND, START, TIMEOUT_S
from tests.support.oracle import Row
from tests.support.rows import to_batch
from tests.support.tapes import snapshot, update

MARKETS = [MarketSettings(BTC, depth=20), MarketSettings(ETH, mid="1900.00", tick="0.05", depth=20)]


def full(line: str) -> bool:
    """Tell whether a line has the trades of both products, and how a strategy stands there."""
    return line.count(", the last at ") == line.count(" on paper (share): position ") == 2


def test_status_lines_on_a_pipe(tmp_path: Path) -> None:
    """Without a terminal a line with level, rows, prices, trades and sizes comes every --log-every."""
    trader = ("--strategy", "booktape.strategies:QuoteWhenWide", "--set", "threshold=0bps")
    options = ("-o", tmp_path / "tape", "--log-every", "100ms", *trader)
    with (
        SyntheticExchange(MARKETS, ExchangeSettings(rate=200.0)) as exchange,
        running_booktape("record", BTC, ETH, *options, "--url", exchange.url) as process,
    ):
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while len(lines) < 3 or lines[-1].count(" / ") < 2 or " - / - " in lines[-1] or not full(lines[-1]):
            lines.append(process.stderr.readline())
        end(process)
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d INFO BTC-USD ", line)
        assert all(word in line for word in ("; ETH-USD ", "rows", "journal ", "sealed ", "queue "))
        assert "\x1b" not in line
    numbers = [int(re.findall(r"BTC-USD ([0-9,]+) row", line)[0].replace(",", "")) for line in lines]
    assert numbers == sorted(numbers)
    assert numbers[-1] > 0
    assert re.search(
        r"; ETH-USD on paper \(share\): position \S+, \d+ open orders?, \d+ fills?, net ", lines[-1]
    )


def test_a_status_line_of_many_products(tmp_path: Path) -> None:
    """Beyond ten products the line has their sums, and the names of those with which something is wrong."""
    markets = [MarketSettings(f"P{number}-USD", depth=5) for number in range(12)]
    products = [market.product for market in markets]
    lines: list[str] = []

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        def look_until_all_is_known() -> None:
            idle = threading.Event()
            # Counts and names of a line are read one after the other, while the recording goes on.
            while not all(each in lines[-1] for each in ("12 connections", "given up")) or "no " in lines[-1]:
                idle.wait(0.01)
                lines.append(status_line(view))
            signal.raise_signal(signal.SIGINT)

        lines.append(status_line(view))  # before anything is received
        thread = threading.Thread(target=look_until_all_is_known, daemon=True)
        thread.start()
        yield
        thread.join(TIMEOUT_S)

    with SyntheticExchange(markets, ExchangeSettings(rate=100.0)) as exchange:
        settings = ConnectionSettings("exchange", exchange.url, spacing=0.0)
        done = record(
            [*products, "NO-SUCH"],
            tmp_path / "tape",
            RecordSettings(settings, engine="plain"),
            observers=[look],
        )
    found = re.match(
        r"12 products ([0-9,]+) rows, 12 connections, 0 anomalies, last frame \d+\.\d s ago, "
        r"that of P\d+-USD \d+\.\d s ago, [0-9,]+ trades?; given up: NO-SUCH; journal ",
        lines[-1],
    )
    assert found, lines[-1]
    assert 0 < int(found[1].replace(",", "")) <= sum(tally.rows for tally in done.tallies.values())
    assert lines[0].startswith(
        "13 products 0 rows, 0 connections, 0 anomalies, 0 trades; no frame yet: 13 products; "
    )
    assert max(map(len, lines)) < 400


def test_no_line_before_its_time(tmp_path: Path) -> None:
    """A recording in which nothing happens says nothing before --log-every."""
    options = ("-o", tmp_path / "tape", "--log-every", "1h")
    with (
        SyntheticExchange(MARKETS, ExchangeSettings(rate=200.0)) as exchange,
        running_booktape("record", BTC, *options, "--url", exchange.url) as process,
    ):
        exchange.wait_until(lambda: any(c.rounds > 20 for c in exchange.connections), TIMEOUT_S)
        _, stderr = end(process)
    assert stderr == ""


def test_an_anomaly_is_logged_once_per_connection(caplog: pytest.LogCaptureFixture) -> None:
    """The first anomaly of a kind on a connection is logged, on one line whatever the frame holds."""
    engine, log = PlainEngine(), AnomalyLog()
    state = engine.start(BTC, "exchange")
    texts = ["no JSON \x1b[31m", "no JSON either", update(BTC, ("buy", "98", "1")), snapshot(BTC), "again"]
    with caplog.at_level(logging.WARNING):
        for connection in range(2):
            rows = [Row(10 * connection, connection, connection, "connected", "{}")]
            rows += [
                Row(10 * connection + number, connection, connection, "frame", text)
                for number, text in enumerate(texts, 1)
            ]
            state, step = engine.step(state, to_batch(rows))
            log.update(BTC, step)
            log.update(ETH, step)
    kinds = [record.getMessage().split(": ")[:2] for record in caplog.records]
    assert kinds == [
        [name, kind] for _ in range(2) for name in (BTC, ETH) for kind in ("malformed", "early_update")
    ]
    assert all(record.getMessage().isprintable() for record in caplog.records)


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

    logging.getLogger("recorder.monitor.log_lines").addHandler(Lines())
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
