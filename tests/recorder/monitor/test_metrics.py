"""Prometheus metrics of a recording: off by default, on loopback, with the numbers of the tape."""

import json
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.server import ServerConnection

from recorder.api import record
from recorder.monitor.log_lines import status_line
from recorder.monitor.metrics import serving
from recorder.monitor.status import RecordingView
from recorder.settings import Backoff, ConnectionSettings, RecordSettings, SealPolicy
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import booktape, end, free_port, running_booktape
from tests.support.constants import BTC, TIMEOUT_S
from tests.support.rows import journals, read_rows
from tests.support.scripted_server import ScriptedServer, messages
from tests.support.tapes import segment_paths, snapshot, update

Samples = dict[tuple[str, ...], float]
"""A metric's name and the values of its labels, in the order of their names, to its value."""

FIRST = [
    snapshot(BTC),
    "no JSON",
    update(BTC, ("buy", "101", "1")),  # crossed
    update(BTC, ("buy", "101", "0")),
    json.dumps({"type": "strange", "text": "ÄÖÜ \U0001f600"}, ensure_ascii=False),
]
SECOND = [snapshot(BTC), update(BTC, ("buy", "98", "1")), update(BTC, ("buy", "98", "2"))]


async def two_connections(number: int, connection: ServerConnection) -> None:
    """Serve a known connection, close it, and serve another one that falls silent."""
    await one_connection(number, connection)
    await connection.wait_closed()


async def one_connection(number: int, connection: ServerConnection) -> None:
    """Serve a known connection; close the first one."""
    for text in SECOND if number else FIRST:
        await connection.send(text)
    if number == 0:
        await connection.close(1012, "service restart")


def scrape(port: int, host: str = "127.0.0.1") -> Samples:
    """Ask for all metrics."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=TIMEOUT_S) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_those_of_the_recording(tmp_path: Path) -> None:
    """Frames, bytes, reconnects, interruptions, anomalies, sizes and free disk are what the tape says."""
    tape = tmp_path / "tape"
    expected = len(FIRST) + len(SECOND)
    found: list[Samples] = []
    sizes: list[tuple[int, int]] = []

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        """Scrape once all frames went through, then stop the recording."""

        def wait_and_scrape(port: int) -> None:
            idle = threading.Event()
            while (
                view.status.products()[BTC].frames < expected
                or not view.writer.sizes()[1]
                or len(journals(tape)) != 1
            ):
                idle.wait(0.01)
            found.append(scrape(port))
            sealed = sum(path.stat().st_size for path in segment_paths(tape))
            sizes.append((sum(path.stat().st_size for path in journals(tape)), sealed))
            signal.raise_signal(signal.SIGINT)

        with serving(view, 0, "127.0.0.1") as port:
            thread = threading.Thread(target=wait_and_scrape, args=(port,), daemon=True)
            thread.start()
            yield
            thread.join(TIMEOUT_S)

    with ScriptedServer(two_connections) as peer:
        settings = ConnectionSettings("exchange", peer.url, backoff=Backoff(0.01, 0.02), spacing=0.0)
        record([BTC], tape, RecordSettings(settings, seal=SealPolicy(rows=7)), observers=[look])
    (metrics,), ((journal_bytes, sealed_bytes),) = found, sizes
    assert metrics["booktape_frames_total", BTC] == expected
    assert metrics["booktape_reconnects_total", BTC] == 1
    interruptions = {key[2]: n for key, n in metrics.items() if key[0] == "booktape_interruptions_total"}
    assert interruptions == {"closed 1012": 1}
    anomalies = {key[1:]: n for key, n in metrics.items() if key[0] == "booktape_anomalies_total" and n}
    assert anomalies == {("malformed", BTC): 1, ("crossed", BTC): 1, ("unknown", BTC): 1}
    assert metrics["booktape_queue_bytes",] == 0
    assert metrics["booktape_last_frame_age_seconds", BTC] >= 0
    assert metrics["booktape_sealed_bytes_total",] == sealed_bytes > 0
    assert metrics["booktape_journal_bytes",] == journal_bytes > 0
    assert metrics["booktape_seal_seconds_total",] > 0
    assert metrics["booktape_free_disk_bytes",] > 2**20


def test_a_product_that_was_given_up_is_named(tmp_path: Path) -> None:
    """Metrics and the status line tell a product that was given up from one whose book is live."""
    bad = "BAD-USD"
    lines: list[str] = []
    found: list[Samples] = []

    async def refuse_one(_number: int, connection: ServerConnection) -> None:
        error = {"type": "error", "message": "Failed to subscribe", "reason": f"{bad} is not a valid product"}
        await connection.send(json.dumps(error) if bad in messages(connection)[0] else snapshot(BTC))
        await connection.wait_closed()

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        def wait_and_look(port: int) -> None:
            idle = threading.Event()
            while bad not in view.reader.given_up or view.status.products()[BTC].last_book is None:
                idle.wait(0.01)
            lines.append(status_line(view))
            found.append(scrape(port))
            signal.raise_signal(signal.SIGINT)

        with serving(view, 0, "127.0.0.1") as port:
            thread = threading.Thread(target=wait_and_look, args=(port,), daemon=True)
            thread.start()
            yield
            thread.join(TIMEOUT_S)

    with ScriptedServer(refuse_one) as peer:
        settings = ConnectionSettings("exchange", peer.url, spacing=0.0)
        record([BTC, bad], tmp_path / "tape", RecordSettings(settings), observers=[look])
    assert {key[1]: n for key, n in found[0].items() if key[0] == "booktape_given_up"} == {BTC: 0, bad: 1}
    assert found[0]["booktape_book_age_seconds", BTC] >= 0
    assert ("booktape_book_age_seconds", bad) not in found[0]
    assert f"{bad} given up: the exchange refused" in lines[0]
    assert f"{BTC} given up" not in lines[0]


def test_health_fails_when_no_product_has_frames(tmp_path: Path) -> None:
    """/healthz answers ok while a frame has come lately, and 503 with the reason once none has, for all."""
    answers: list[tuple[int, str]] = []

    async def fall_silent(_number: int, connection: ServerConnection) -> None:
        await connection.send(snapshot(BTC))
        await connection.wait_closed()

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        def ask_until_it_fails(port: int) -> None:
            idle = threading.Event()
            while not answers or answers[-1][0] == 200:
                answers.append(health(port))
                idle.wait(0.05)
            signal.raise_signal(signal.SIGINT)

        with serving(view, 0, "127.0.0.1") as port:
            thread = threading.Thread(target=ask_until_it_fails, args=(port,), daemon=True)
            thread.start()
            yield
            thread.join(TIMEOUT_S)

    with ScriptedServer(fall_silent) as peer:
        settings = ConnectionSettings(
            "exchange", peer.url, spacing=0.0, stale_after=1.0, backoff=Backoff(30, 60)
        )
        record([BTC], tmp_path / "tape", RecordSettings(settings), observers=[look])
    assert answers[0] == (200, "ok\n")
    assert answers[-1][0] == 503
    assert answers[-1][1].startswith("no product has had a frame for ")


def health(port: int) -> tuple[int, str]:
    """Ask for the health of a recording: status and text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_bytes_of_frames_are_bytes(tmp_path: Path) -> None:
    """Bytes of frames are bytes of UTF-8, whatever the characters."""
    counted: list[Samples] = []

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        with serving(view, 0, "127.0.0.1") as port:
            yield
            counted.append(scrape(port))

    with ScriptedServer(one_connection) as peer:
        settings = ConnectionSettings(
            "exchange", peer.url, backoff=Backoff(0.01, 0.02), spacing=0.0, connections=2
        )
        record([BTC], tmp_path / "tape", RecordSettings(settings), observers=[look])
    payload = [row.payload for row in read_rows(tmp_path / "tape") if row.kind == "frame"]
    assert payload == FIRST + SECOND
    assert counted[0]["booktape_frame_bytes_total", BTC] == len("".join(payload).encode())


def test_the_port_is_free_again(tmp_path: Path) -> None:
    """The requested port is used, and is free when the recording has ended."""
    port = free_port()
    asked: list[Samples] = []

    @contextmanager
    def look(view: RecordingView) -> Iterator[None]:
        with serving(view, port, "127.0.0.1"):
            yield
            asked.append(scrape(port))

    with ScriptedServer(one_connection) as peer:
        backoff = Backoff(0.01, 0.02)
        settings = ConnectionSettings("exchange", peer.url, backoff=backoff, connections=2, spacing=0.0)
        for _ in range(2):  # each ends with its second connection
            record([BTC], tmp_path / "tape", RecordSettings(settings), observers=[look])
    assert len(asked) == 2


def test_a_port_in_use_ends_with_one_line(tmp_path: Path) -> None:
    """If the port is in use, the recorder exits with 1 and one line before it connects."""
    with socket.create_server(("127.0.0.1", 0)) as taken, ScriptedServer(two_connections) as peer:
        port = taken.getsockname()[1]
        options = ("-o", tmp_path / "tape", "--url", peer.url, "--metrics-port", port)
        done = booktape("record", BTC, *options)
        assert peer.received == []
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert str(port) in line
    assert "in use" in line


def listening(pid: int) -> list[str]:
    """Return the local addresses on which a process listens, as /proc spells them."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ([], None),
        (["--metrics-port"], "0100007F"),
        (["--metrics-host", "0.0.0.0", "--metrics-port"], "00000000"),  # noqa: S104  what is tested
    ],
    ids=["off", "loopback", "open"],
)
def test_what_a_recorder_listens_on(tmp_path: Path, options: list[str], address: str | None) -> None:
    """Nothing is listened on by default, loopback on demand, more only with a warning; bytewax never does."""
    port = free_port()
    chosen = [*options, *([port] if options else [])]
    with SyntheticExchange([MarketSettings(BTC, depth=5)], ExchangeSettings(rate=100.0)) as exchange:
        tape = tmp_path / "tape"
        command = ("record", BTC, "-o", tape, "--url", exchange.url, *chosen)
        with running_booktape(*command, env=with_bytewax_api()) as process:
            exchange.wait_until(lambda: any(each.rounds > 5 for each in exchange.connections), TIMEOUT_S)
            found = listening(process.pid)
            names = {name for name, *_ in scrape(port)} if options else set()
            _, stderr = end(process)
    assert found == ([f"{address}:{port:04X}"] if address else [])
    assert ("booktape_frames_total" in names) == bool(options)
    warnings = [line for line in stderr.splitlines() if "warning" in line.lower()]
    assert len(warnings) == ("--metrics-host" in options)
    assert all("0.0.0.0" in line for line in warnings)  # noqa: S104  what is tested


def with_bytewax_api() -> dict[str, str]:
    """Return an environment that would have bytewax open a port on all interfaces."""
    from tests.support.commands import clean_environment  # noqa: PLC0415  the one that is not replaced

    return clean_environment() | {"BYTEWAX_DATAFLOW_API_ENABLED": "0"}
