"""The panel of recordings, live feeds and replays: it fits, stays where it is and is never torn."""

import asyncio
import codecs
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from orderbook.times import parse_time
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import clean_environment, end, free_port, running_booktape
from tests.support.constants import BTC, ETH, TIMEOUT_S
from tests.support.rows import journals, read_rows
from tests.support.scripted_server import ScriptedServer, book, failing, stall

MARKETS = [MarketSettings(BTC, depth=20), MarketSettings(ETH, mid="1900.00", tick="0.05", depth=20)]
_OWN_TERMINAL = (
    "import os, sys; os.setsid(); os.close(os.open(os.ttyname(0), os.O_RDWR)); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Makes stdin the terminal that controls the process, so that its end is a SIGHUP."""

_ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    """A terminal as far as the panel uses one: it wraps, moves up, erases, and keeps what scrolls away."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines: list[str] = [""]
        self._row = 0
        self._column = 0

    def write(self, text: str) -> None:
        """Take output; what it does not know is an error."""
        position = 0
        while position < len(text):
            escape = _ESCAPE.match(text, position)
            if escape:
                self._control(escape[1], escape[2])
                position = escape.end()
                continue
            char = text[position]
            position += 1
            if char == "\r":
                self._column = 0
            elif char == "\n":
                self._down()
            else:
                assert char.isprintable(), repr(text[position - 20 : position + 20])
                self._put(char)

    def _put(self, char: str) -> None:
        if self._column == self.columns:
            self._column = 0
            self._down()
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + char + line[self._column + 1 :]
        self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")

    def _control(self, argument: str, command: str) -> None:
        if command == "A":
            self._row -= int(argument or 1)
        elif command == "K" and argument == "2":
            self.lines[self._row] = ""
        else:
            assert command in "mhl", (argument, command)  # colours; whether the cursor is seen


class Terminal:
    """A `booktape` process on a pseudo terminal."""

    def __init__(self, process: subprocess.Popen[str], master: int, columns: int) -> None:
        self.process = process
        self.output = ""
        self._master = master
        self._columns = columns
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def until(self, condition: Callable[[str], bool]) -> None:
        """Read until a condition on all output holds."""
        while not condition(self.output):
            self._read()

    def finish(self, codes: tuple[int, ...] = (0,)) -> tuple[str, list[str]]:
        """End the recording by Ctrl-C; return stdout and the lines of the screen."""
        self.process.send_signal(signal.SIGINT)
        while True:
            try:
                self._read()
            except OSError:  # the other end is closed
                break
        stdout, _ = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode in codes, self.output
        return stdout, self.screen()

    def close(self) -> None:
        """Close the window of the terminal, unless it is closed."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    def screen(self) -> list[str]:
        """Return the lines as a terminal of this width shows them."""
        screen = Screen(self._columns)
        screen.write(self.output)
        return [line.rstrip() for line in screen.lines]

    def _read(self) -> None:
        data = os.read(self._master, 65536)
        if not data:
            raise OSError
        self.output += self._decoder.decode(data)


@contextmanager
def on_terminal(
    columns: int, *arguments: object, rows: int = 30, prints_there: bool = False
) -> Iterator[Terminal]:
    """Run `booktape` with a terminal as its stdin and stderr, and as its stdout if it prints there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**clean_environment(), "TERM": "xterm-256color"}
    environment.pop("LINES", None)
    command = [sys.executable, "-c", _OWN_TERMINAL, "-m", "booktape", *map(str, arguments)]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=slave,
        stdout=slave if prints_there else subprocess.PIPE,
        stderr=slave,
        text=True,
    ) as process:
        os.close(slave)
        try:
            yield (terminal := Terminal(process, master, columns))
        finally:
            process.kill()
            terminal.close()


def plain_lines(output: str) -> list[str]:
    """Return the lines of an output without control sequences."""
    return re.split(r"[\r\n]+", _ESCAPE.sub("", output))


def panels(output: str) -> list[list[str]]:
    """Return the panels that were drawn: from each heading to the last line under it."""
    lines = plain_lines(output)
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith("product ")]
    return [lines[one:two] for one, two in pairwise([*starts, len(lines)])]


TRADER = ("--strategy", "booktape.strategies:QuoteWhenWide", "--set", "threshold=0bps")


@pytest.mark.parametrize("columns", [80, 160])
def test_the_panel_of_a_recording(tmp_path: Path, columns: int) -> None:
    """It shows prices, signals and, of a strategy that trades, fills and position, in lines that fit."""
    tape = tmp_path / "tape"
    trader = TRADER if columns == 160 else ()
    with (
        SyntheticExchange(MARKETS, ExchangeSettings(rate=200.0, heartbeats=False)) as exchange,
        on_terminal(columns, "record", BTC, ETH, "-o", tape, "--url", exchange.url, *trader) as terminal,
    ):
        terminal.until(lambda output: all(f"{product}  open " in output for product in (BTC, ETH)))
        seen = len(terminal.output)
        terminal.until(lambda output: len(panels(output[seen:])) > 1)
        shown = panels(terminal.output)
        stdout, _ = terminal.finish()
    assert all(len(line) <= columns for line in plain_lines(terminal.output))
    assert_columns_stay(shown)
    found = headings(shown[-2])
    assert found[:7] == ["product", "state", "last trade", "bid", "ask", "spread", "signals"]
    assert found[7:] == RIGHT * bool(trader)
    for product in (BTC, ETH):
        (line,) = [line for line in shown[-2] if line.startswith(product)]
        _, state, _, bid, ask, _, signals, *rest = line.split()
        assert state == "open"
        assert float(bid.replace(",", "")) < float(ask.replace(",", ""))
        assert signals.isdigit()
        assert not rest or int(rest[5].replace(",", "")) > 0  # rows
    foot = " ".join(shown[-2][1:])
    assert all(word in foot for word in ("journal", "sealed", "queue", "disk left", "Ctrl-C ends"))
    assert re.search(r"\d:\d\d:\d\d  record /", terminal.output)
    assert BTC in stdout
    assert "\x1b" not in stdout


RIGHT = ["fills", "position", "net", "update", "rate", "rows", "anomalies", "connections"]


def headings(panel: list[str]) -> list[str]:
    """Return the columns of a panel."""
    return re.split(r"\s{2,}", panel[0].strip())


def assert_columns_stay(shown: list[list[str]]) -> None:
    """No column comes, goes or moves from the first panel to the last whole one."""
    assert len({panel[0].rstrip() for panel in shown[:-1]}) == 1, [panel[0] for panel in shown]


@pytest.mark.parametrize("options", [("--speed", "0.5"), ("--follow", "--threshold", "50%")])
def test_the_panel_of_a_replay(short_tape: Path, options: tuple[str, ...]) -> None:
    """It has the last trade but no disk, and says how far the replay has come."""
    with on_terminal(160, "replay", short_tape, *options) as terminal:
        terminal.until(lambda output: " no book " in output or ("--speed" in options and " open " in output))
        seen = len(terminal.output)
        terminal.until(lambda output: len(panels(output[seen:])) > 1)
        shown = panels(terminal.output)
        terminal.finish(codes=(0, 1))
    assert_columns_stay(shown)
    last = panels(terminal.output)[-1]
    left = [line.split()[1] for line in last if line.startswith(("BTC-USD ", "ETH-USD ", "SOL-USD "))]
    assert left[:3] == ["ended"] * 3  # no book is no fault of a tape that has ended
    found = headings(shown[-2])
    assert "last trade" in found
    assert not {"fills", "position"} & set(found)
    text = " ".join(shown[-2])
    assert "disk" not in text
    assert re.search(r"row [0-9,]+" + ("" if "--follow" in options else " of 1,50[0-9]"), text)
    assert sum(line.startswith(("BTC-USD", "ETH-USD", "SOL-USD")) for line in shown[-2]) == 3


def test_a_narrow_panel_has_its_foot_whole(short_tape: Path) -> None:
    """How far a replay has come, and how to end it, is on several lines if one is too short."""
    foot = re.compile(r"row [0-9,]+ of 1,50[0-9] at \S+ \S+ UTC Ctrl-C ends")
    with on_terminal(40, "replay", short_tape, "--speed", "0.5") as terminal:
        terminal.until(
            lambda output: foot.search(" ".join(" ".join(plain_lines(output)).split())) is not None
        )
        terminal.finish(codes=(0, 1))


def test_what_live_prints_stands_above_its_panel() -> None:
    """Every summary is one whole line in order; nothing of the panel is left between or below them."""
    settings = ExchangeSettings(rate=300.0, frames=60, heartbeats=False)
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        options = ("live", BTC, "--all", "--url", exchange.url)
        with on_terminal(100, *options, rows=200, prints_there=True) as terminal:
            exchange.wait_for_done(1, timeout=TIMEOUT_S)
            terminal.until(lambda output: len(re.findall(r" bps\r", output)) >= 61)
            seen = len(terminal.output)
            terminal.until(lambda output: len(panels(output[seen:])) > 1)
            shown = panels(terminal.output)
            terminal.finish()
    lines = [line for line in terminal.screen() if line]
    assert [BTC in line for line in lines] == [False] + [True] * 62  # it loads, the log, 61 summaries
    times = [line[:23] for line in lines[2:]]
    assert times == sorted(times)
    assert "disk" not in " ".join(shown[-2])
    assert "last trade" not in shown[-2][0]


def test_a_feed_without_a_snapshot_says_so(tmp_path: Path) -> None:
    """Until the first snapshot a line says how far the connection has come."""
    sends = threading.Event()

    async def script(number: int, connection: ServerConnection) -> None:
        await asyncio.to_thread(sends.wait, TIMEOUT_S)
        for text in book(number):
            await connection.send(text)
        await connection.wait_closed()

    with (
        ScriptedServer(script) as peer,
        on_terminal(80, "record", BTC, "-o", tmp_path / "tape", "--url", peer.url) as terminal,
    ):
        terminal.until(lambda output: output.startswith("Loading, then connecting."))
        terminal.until(lambda output: f"connecting: {BTC}" in output)
        terminal.until(lambda output: f"connected, waiting for the snapshot: {BTC}" in output)
        sends.set()
        terminal.until(lambda output: f"{BTC}  open" in output)
        seen = len(terminal.output)
        terminal.finish()
    assert "connecting" not in terminal.output[seen:]  # while it seals


def test_a_warning_stays_whole_above_the_panel(tmp_path: Path) -> None:
    """A reconnect is logged above the panel in one piece; the panel stays below and leaves no remains."""
    settings = ExchangeSettings(rate=400.0, drop_after=(60, 60), heartbeats=False)
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        options = ("-o", tmp_path / "tape", "--url", exchange.url)
        with on_terminal(80, "record", BTC, *options) as terminal:
            terminal.until(lambda output: output.count("connecting again") == 2)
            seen = len(terminal.output)
            terminal.until(lambda output: len(panels(output[seen:])) > 1)
            _, screen = terminal.finish()
    text = "".join(screen)
    told = re.findall(r"WARNING BTC-USD: connection \d ended \(1006\); connecting again in \d\.\d s", text)
    assert [line.split("connection ")[1][0] for line in told] == ["0", "1"]
    assert "product" not in text  # the panel is gone at the end, all of it
    assert "Ctrl-C" not in text


def test_a_terminal_that_is_closed_seals(tmp_path: Path) -> None:
    """The end of the terminal stops a recording as SIGTERM does: all that was received is sealed."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS[:1], ExchangeSettings(rate=200.0, heartbeats=False)) as exchange:
        with on_terminal(80, "record", BTC, "-o", tape, "--url", exchange.url) as terminal:
            exchange.wait_until(lambda: any(c.rounds > 40 for c in exchange.connections), TIMEOUT_S)
            terminal.until(lambda output: len(panels(output)) > 1)
            terminal.close()
            terminal.process.wait(TIMEOUT_S)
        (sent,) = exchange.sent
    rows = read_rows(tape)
    received = [row.payload for row in rows if row.kind == "frame"]
    assert received == sent[: len(received)]
    assert (rows[-1].kind, json.loads(rows[-1].payload)["reason"]) == ("disconnected", "stopped")
    assert not journals(tape)


def test_many_products_on_a_low_terminal(tmp_path: Path) -> None:
    """A panel that is higher than the terminal does not run over it line by line."""
    markets = [MarketSettings(f"P{number}-USD", depth=5) for number in range(12)]
    products = [market.product for market in markets]
    with SyntheticExchange(markets, ExchangeSettings(rate=100.0)) as exchange:
        options = ("-o", tmp_path / "tape", "--url", exchange.url)
        with on_terminal(100, "record", *products, *options, rows=10) as terminal:
            terminal.until(lambda output: len(panels(output)) > 2)
            _, screen = terminal.finish(codes=(0, 1))  # 1 if not all have a book yet
    assert sum("product" in line for line in screen) == 0


def test_many_products_share_a_row(tmp_path: Path) -> None:
    """Ten products have a row of their own, the others one with their sums."""
    markets = [MarketSettings(f"P{number}-USD", depth=5) for number in range(12)]
    products = [market.product for market in markets]
    with SyntheticExchange(markets, ExchangeSettings(rate=100.0)) as exchange:
        options = ("-o", tmp_path / "tape", "--url", exchange.url)
        with on_terminal(160, "record", *products, *options, rows=40) as terminal:
            terminal.until(lambda output: "2 more   2 open" in output)
            seen = len(terminal.output)
            terminal.until(lambda output: len(panels(output[seen:])) > 1)
            shown = panels(terminal.output)[-2]
            terminal.finish()
    names = [line.split()[0] for line in shown if line.startswith(("P", "2 more"))]
    assert names == [*products[:10], "2"]
    (line,) = [line for line in shown if line.startswith("2 more")]
    assert int(line.split()[-4].replace(",", "")) > 2  # rows


def test_log_lines_as_json(tmp_path: Path) -> None:
    """With --log-json every line, status and warning alike, is a JSON object with time, level and message."""
    tape = tmp_path / "tape"
    options = ("-o", tape, "--log-every", "50ms", "--log-json", "--stale-after", "1s")
    with (
        ScriptedServer(failing(stall)) as peer,
        running_booktape("record", BTC, *options, "--url", peer.url) as process,
    ):
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while "2 connections" not in lines[-1]:
            lines.append(process.stderr.readline())
        _, rest = end(process)
    entries = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert all(entry.keys() >= {"time", "level", "message"} for entry in entries)
    assert all(parse_time(entry["time"]) is not None for entry in entries)
    assert {entry["level"] for entry in entries} == {"INFO", "WARNING"}
    assert any("ended (4000 stale); connecting again" in entry["message"] for entry in entries)
    assert read_rows(tape)[-1].kind == "disconnected"


def test_a_warning_is_json_too(tmp_path: Path) -> None:
    """With --log-json the warning that metrics are open is a JSON object with its level like any other."""
    options = ["-o", tmp_path / "tape", "--log-json", "--metrics-port", free_port()]
    options += ["--metrics-host", "0.0.0.0"]  # noqa: S104  what is tested
    with (
        SyntheticExchange(MARKETS, ExchangeSettings(rate=200.0)) as exchange,
        running_booktape("record", BTC, *options, "--url", exchange.url) as process,
    ):
        exchange.wait_until(lambda: any(c.rounds > 5 for c in exchange.connections), TIMEOUT_S)
        _, stderr = end(process)
    entries = [json.loads(line) for line in stderr.splitlines()]  # on a busy machine no book was processed
    told = {each["level"] for each in entries if "0.0.0.0" in each["message"]}  # noqa: S104  what is tested
    assert told == {"WARNING", "INFO"}  # open to everyone, and the address


@pytest.fixture(params=["full", "gone"])
def unwritable(request: pytest.FixtureRequest) -> Iterator[int]:
    """Yield a descriptor to which nothing can be written: a full disk, and a pipe that nobody reads."""
    if request.param == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    yield descriptor
    os.close(descriptor)


def test_a_recording_outlives_its_log(tmp_path: Path, unwritable: int) -> None:
    """If no log line can be written, the recorder reconnects and ends as usual and loses no row."""
    second = threading.Event()
    script = failing(stall)

    async def tell(number: int, connection: ServerConnection) -> None:
        if number:
            second.set()
        await script(number, connection)

    options = ("-o", tmp_path / "tape", "--stale-after", "1s", "--json")
    with ScriptedServer(tell) as peer:
        command = [sys.executable, "-m", "booktape", "record", BTC, "--url", peer.url, *map(str, options)]
        with subprocess.Popen(
            command, env=clean_environment(), stdout=subprocess.PIPE, stderr=unwritable, text=True
        ) as process:
            assert second.wait(TIMEOUT_S)
            process.send_signal(signal.SIGTERM)
            stdout, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert json.loads(stdout)["products"][BTC]["rows"] == len(read_rows(tmp_path / "tape")) > 0
