"""Whatever a peer does to a connection is a recorded interruption and a fresh snapshot, never a hang."""

import asyncio
import json
import logging
import random
import signal
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from orderbook.feeds import Feed
from recorder.backoff import Backoff
from recorder.clock import ReceiveClock
from recorder.feeds import endpoint
from recorder.flows import Show
from recorder.opening import MAX_FRAME_BYTES
from recorder.reader import ReaderSettings
from recorder.record import record
from recorder.recorded import Recorded
from replay.verifying import verify
from tests.oracle import Row
from tests.recorder.processes import QUICK, record_here, summaries
from tests.recorder.rows import BTC, SECOND, START, journals, read_rows
from tests.replay.tapes import Json, booktape, snapshot, update

Script = Callable[[int, ServerConnection], Awaitable[None]]
"""What a peer does on a connection, given its number, once the client has subscribed."""

BY_US: Final = 4000


class Peer:
    """A WebSocket server on loopback that does what a script says, also what no server should.

    Args:
        script: what it does on each connection.
        deflate: whether it offers permessage-deflate.
        subscriptions: messages of the client to wait for before the script begins.
        tls: makes it a wss:// server.

    Attributes:
        url: its address.
        received: the client's first messages, by connection.
    """

    def __init__(
        self,
        script: Script,
        *,
        deflate: bool = False,
        subscriptions: int = 1,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._script = script
        self._deflate = deflate
        self._subscriptions = subscriptions
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.url = ""
        self.received: list[list[str]] = []

    def __enter__(self) -> Self:
        listening: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        self.url = f"ws{'s' if self._tls else ''}://127.0.0.1:{listening.result(10)}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, listening: Future[int]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await serve(
            self._handle,
            "127.0.0.1",
            0,
            compression="deflate" if self._deflate else None,
            ssl=self._tls,
            ping_interval=None,
            close_timeout=0.1,
            logger=logging.Logger("peer", logging.CRITICAL),  # noqa: LOG001  nobody else's
        )
        listening.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        for connection in list(server.connections):
            connection.transport.abort()
        server.close()

    async def _handle(self, connection: ServerConnection) -> None:
        number = len(self.received)
        self.received.append([])
        try:
            for _ in range(self._subscriptions):
                self.received[number].append(str(await connection.recv()))
            await self._script(number, connection)
        except ConnectionClosed:
            pass


def book(number: int, feed: Feed = "exchange") -> list[str]:
    """Return a snapshot and two updates that no other connection sends."""
    if feed == "exchange":
        bids = [("buy", "98", f"{number}.{place}") for place in (1, 2)]
        return [snapshot(BTC, [["99", str(number + 1)]]), *(update(BTC, change) for change in bids)]
    return [advanced(place, str(number + 1)) for place in range(3)]


def advanced(number: int, size: str, product: str = BTC) -> str:
    """Return an Advanced frame with a number: 0 is the snapshot."""
    levels = [{"side": "bid", "price_level": "99", "new_quantity": size}]
    event = {"type": "update" if number else "snapshot", "product_id": product, "updates": levels}
    return json.dumps({"channel": "l2_data", "sequence_num": number, "events": [event]})


def harmed(harm: Callable[[ServerConnection], Awaitable[None]], feed: Feed = "exchange") -> Script:
    """Return a script: a book on every connection, and harm after it on the first."""

    async def script(number: int, connection: ServerConnection) -> None:
        for text in book(number, feed):
            await connection.send(text)
        if number == 0:
            await harm(connection)
        await connection.wait_closed()

    return script


# What a peer may do


def refusing(error: str) -> Script:
    """Return a script that answers every connection by an error frame."""

    async def refuse(_number: int, connection: ServerConnection) -> None:
        await connection.send(error)
        await connection.wait_closed()

    return refuse


async def stall(connection: ServerConnection) -> None:
    """Say nothing more."""
    await connection.wait_closed()


async def half_open(connection: ServerConnection) -> None:
    """Neither read nor answer any more, as a peer whose power was cut."""
    connection.transport.pause_reading()
    await asyncio.Event().wait()


async def ping_only(connection: ServerConnection) -> None:
    """Be alive and send pings, but no frame."""
    while True:
        await (await connection.ping())


async def drip(connection: ServerConnection) -> None:
    """Begin a frame and send a byte of it now and then, for ever: its pace, which nothing waits for."""
    connection.transport.write(b"\x81\x7f" + struct.pack(">Q", 10**6))
    while not connection.transport.is_closing():
        connection.transport.write(b"x")
        await asyncio.sleep(0.01)


async def reset(connection: ServerConnection) -> None:
    """Reset the connection in the middle of a frame."""
    connection.transport.write(b"\x81\x7f" + struct.pack(">Q", 1000) + b"{" * 10)
    raw = connection.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


async def cut(connection: ServerConnection) -> None:
    """End the stream in the middle of a frame."""
    connection.transport.write(b"\x81\x7f" + struct.pack(">Q", 1000) + b"{" * 10)
    connection.transport.close()


def closing(code: int, reason: str) -> Callable[[ServerConnection], Awaitable[None]]:
    """Return a close with code and reason."""

    async def close(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    return close


def raw(data: bytes) -> Callable[[ServerConnection], Awaitable[None]]:
    """Return what writes bytes past the protocol."""

    async def write(connection: ServerConnection) -> None:
        connection.transport.write(data)

    return write


async def binary(connection: ServerConnection) -> None:
    """Send a binary frame."""
    await connection.send(b"{}")


def bomb() -> bytes:
    """Return a compressed text frame of some 70 KB that inflates to more than is taken."""
    deflate = zlib.compressobj(9, wbits=-15)
    million = b" " * 2**20
    data = b"".join(deflate.compress(million) for _ in range(MAX_FRAME_BYTES // 2**20))
    data += deflate.compress(b"{}") + deflate.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc1\x7f" + struct.pack(">Q", len(data) - 4) + data[:-4]


HARMS: Final[list[tuple[str, Callable[[ServerConnection], Awaitable[None]], int, str | None]]] = [
    ("stall", stall, BY_US, "stale"),
    ("half-open", half_open, BY_US, "stale"),
    ("pings and nothing else", ping_only, BY_US, "stale"),
    ("a frame without end", drip, BY_US, "stale"),
    ("reset in mid-frame", reset, 1006, ""),
    ("end of stream in mid-frame", cut, 1006, ""),
    ("close 1009", closing(1009, "message too big"), 1009, "message too big"),
    ("close with a reason", closing(1012, "service restart ✓"), 1012, "service restart ✓"),
    ("close without a code", raw(b"\x88\x00"), 1005, ""),
    ("close with a code that is none", raw(b"\x88\x02\x03\xe7"), 1002, None),
    ("close with a bad reason", raw(b"\x88\x04\x03\xe8\xff\xfe"), 1007, None),
    ("bad UTF-8", raw(b"\x81\x02\xff\xfe"), 1007, None),
    ("a surrogate", raw(b"\x81\x03\xed\xa0\x80"), 1007, None),
    ("a reserved opcode", raw(b"\x83\x00"), 1002, None),
    ("a masked frame", raw(b"\x81\x80abcd"), 1002, None),
    ("compressed without agreement", raw(b"\xc1\x01x"), 1002, None),
    ("a frame of an exabyte", raw(b"\x81\x7f" + struct.pack(">Q", 2**60)), 1009, None),
    ("a binary frame", binary, BY_US, "binary frame"),
]


def marks(rows: list[Row], kind: str = "disconnected") -> list[Json]:
    """Return the payloads of rows that open or end connections."""
    return [json.loads(row.payload) for row in rows if row.kind == kind]


def texts(rows: list[Row], connection: int) -> list[str]:
    """Return the frames of a connection."""
    return [row.payload for row in rows if row.kind == "frame" and row.connection == connection]


def assert_sound(tape: Path) -> list[Row]:
    """Insist on numbers, times, connections and a whole tape; return its rows."""
    rows = read_rows(tape)
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert all(one.recv_time <= two.recv_time for one, two in pairwise(rows))
    for connection in range(rows[-1].connection + 1):
        kinds = [row.kind for row in rows if row.connection == connection]
        assert kinds == ["connected", *["frame"] * (len(kinds) - 2), "disconnected"]
    assert not journals(tape)
    assert not verify(tape).damage
    return rows


def assert_resumed(tape: Path, code: int, reason: str | None, feed: Feed = "exchange") -> list[Row]:
    """Insist that the first connection's book, its end and a second connection's book are on a tape."""
    rows = assert_sound(tape)
    told, last = marks(rows)
    assert told["code"] == code
    assert reason is None or told["reason"] == reason
    assert last == {"code": 1000, "reason": "stopped"}
    for connection in (0, 1):
        assert texts(rows, connection)[:3] == book(connection, feed)
    return rows


@pytest.mark.parametrize(("harm", "code", "reason"), [pytest.param(*rest, id=name) for name, *rest in HARMS])
def test_every_harm_is_an_interruption_and_a_fresh_snapshot(
    tmp_path: Path, harm: Callable[[ServerConnection], Awaitable[None]], code: int, reason: str | None
) -> None:
    """What a peer does ends in a `disconnected` row with code and reason, and the next connection's book."""
    tape = tmp_path / "tape"
    # Only a peer that says nothing is to be found stale: any other must be found out by itself.
    stale_after = 0.4 if reason == "stale" else 30.0
    with Peer(harmed(harm)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, stale_after=stale_after)
    rows = assert_resumed(tape, code, reason)
    assert texts(rows, 0) == book(0)


def test_a_bomb_is_an_interruption(tmp_path: Path) -> None:
    """A compressed frame that inflates beyond what is taken ends with 1009 and a fresh snapshot."""
    tape = tmp_path / "tape"
    with Peer(harmed(raw(bomb())), deflate=True) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    rows = assert_resumed(tape, 1009, None)
    assert texts(rows, 0) == book(0)


def test_broken_compression_is_an_interruption(tmp_path: Path) -> None:
    """Compressed data that is none ends the connection and brings a fresh snapshot."""
    tape = tmp_path / "tape"
    with Peer(harmed(raw(b"\xc1\x04\xff\xff\xff\xff")), deflate=True) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    assert marks(assert_resumed(tape, 1002, None))[0]["code"] == 1002


def test_a_fragmented_frame_is_one_frame(tmp_path: Path) -> None:
    """A text in fragments with a ping among them is one frame, and no reason to reconnect."""
    whole = update(BTC, ("buy", "97", "1"), ("sell", "101.5", "0.25"))

    async def send(connection: ServerConnection) -> None:
        for fin, opcode, part in (
            (0x00, 1, whole[:9]),
            (0x80, 9, "ping"),
            (0x00, 0, whole[9:30]),
            (0x80, 0, whole[30:]),
        ):
            data = part.encode()
            connection.transport.write(bytes([fin | opcode, len(data)]) + data)

    with Peer(harmed(send)) as peer:
        record_here(peer.url, tmp_path / "tape", {BTC: summaries(4)})
    assert texts(assert_sound(tmp_path / "tape"), 0) == [*book(0), whole]


@pytest.mark.parametrize("number", [4, 2, 0, 10**30])
def test_a_jump_of_sequence_num(tmp_path: Path, number: int) -> None:
    """A frame of any channel whose number does not count on is kept, ends the connection and is the last."""
    jumped = json.dumps({"channel": "heartbeats", "sequence_num": number, "events": []})

    async def jump(connection: ServerConnection) -> None:
        await connection.send(jumped)
        await connection.send(advanced(number + 1, "9"))

    tape = tmp_path / "tape"
    with Peer(harmed(jump, "advanced"), subscriptions=2) as peer:
        recorded = record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, feed="advanced")
    rows = assert_resumed(tape, BY_US, "gap", "advanced")
    assert texts(rows, 0) == [*book(0, "advanced"), jumped]
    assert recorded.tallies[BTC].anomalies["gap"] == 1


# The bound of the queue


def test_a_frame_larger_than_the_bound_is_taken(tmp_path: Path) -> None:
    """A frame larger than the whole queue is on the tape, and the connection goes on."""
    more = [update(BTC, *[("buy", "98", "1")] * 10_000), update(BTC)]

    async def send(connection: ServerConnection) -> None:
        for text in more:
            await connection.send(text)
        await connection.close(1012, "restart")

    tape = tmp_path / "tape"
    with Peer(harmed(send)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, queue_bytes=100_000)
    rows = assert_resumed(tape, 1012, "restart")
    assert texts(rows, 0) == [*book(0), *more]


def test_a_stalled_dataflow_is_an_overflow(tmp_path: Path) -> None:
    """Where the dataflow stands still and the queue is full, that is told; nothing before it is missing."""
    full, enough = threading.Event(), threading.Event()
    sent: list[list[str]] = []

    async def script(number: int, connection: ServerConnection) -> None:
        sent.append([])
        for text in book(number):
            sent[number].append(text)
            await connection.send(text)
        size = 0
        try:
            while number == 0:
                text = update(BTC, ("buy", "98", f"{size}.5"))
                sent[number].append(text)
                await connection.send(text)
                size += 1
            await connection.wait_closed()
        finally:
            full.set()

    def take(_product: str, batch: pa.RecordBatch) -> None:
        assert full.wait(30)
        if book_done(batch):
            enough.set()
            signal.raise_signal(signal.SIGINT)

    def book_done(batch: pa.RecordBatch) -> bool:
        sizes = zip(*(batch.column(name).to_pylist() for name in ("connection", "bid_size")), strict=True)
        return any(connection and size == connection + 1 for connection, size in sizes)

    tape = tmp_path / "tape"
    with Peer(script) as peer:
        settings = ReaderSettings(endpoint("exchange", peer.url), QUICK, queue_bytes=200_000, spacing=0.0)
        record([BTC], tape, settings, show=Show(None, take))
    assert enough.is_set()
    rows = assert_sound(tape)
    ends = [each["reason"] for each in marks(rows)]
    assert set(ends[:-1]) == {"overflow"}
    assert ends[-1] == "stopped"
    assert len(texts(rows, 0)) > 100
    for connection, said in enumerate(sent):
        received = texts(rows, connection)
        assert received == said[: len(received)]


# Refusals


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_as_answer_ends_with_1(tmp_path: Path, feed: Feed) -> None:
    """An error frame in answer to the subscribe ends with exit 1 and one line with its reason."""
    error = json.dumps({"type": "error", "message": "Failed to subscribe", "reason": "not today"})

    tape = tmp_path / "tape"
    with Peer(refusing(error)) as peer:
        done = booktape("record", BTC, "-o", tape, "--url", peer.url, "--feed", feed)
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert line.startswith(f"Error: {BTC}: ")
    assert "Failed to subscribe: not today" in line
    rows = assert_sound(tape)
    assert texts(rows, 0) == [error]
    assert marks(rows) == [{"code": BY_US, "reason": "refused"}]


@pytest.mark.parametrize("command", ["record", "live"])
def test_an_answer_under_another_name_ends_with_1(tmp_path: Path, command: str) -> None:
    """Where -USDC is answered as -USD it ends with exit 1 and one line that names what is served."""

    async def serve_usd(_number: int, connection: ServerConnection) -> None:
        for text in book(0, "advanced"):
            await connection.send(text)
        await connection.wait_closed()

    tape = tmp_path / "tape"
    with Peer(serve_usd, subscriptions=2) as peer:
        output = ["-o", tape] if command == "record" else []
        done = booktape(command, "BTC-USDC", *output, "--url", peer.url, "--feed", "advanced")
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: BTC-USDC: ")
    assert f"serves {BTC} " in line
    if command == "record":
        received = texts(read_rows(tape, "BTC-USDC"), 0)
        assert received == book(0, "advanced")[: len(received)]
        assert received


# Clocks


@pytest.mark.parametrize("jump", [-3600, -5, 60, 3600])
def test_a_clock_that_jumps(tmp_path: Path, jump: int) -> None:
    """A wall clock that jumps once and back neither stops the recording nor moves recv_time back."""
    offsets = iter([0, jump, 0, jump, 0])
    anchors: list[int] = []

    def clock_for(_product: str, last: int) -> ReceiveClock:
        anchors.append(max(START + next(offsets) * SECOND, last))
        return ReceiveClock(last, wall=lambda: anchors[-1])

    async def drop(number: int, connection: ServerConnection) -> None:
        for text in book(number):
            await connection.send(text)
        if number < 3:
            await connection.close(1012, "again")
        await connection.wait_closed()

    tape = tmp_path / "tape"
    with Peer(drop) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=3)}, clock_for=clock_for)
    rows = assert_sound(tape)
    assert [texts(rows, connection) for connection in range(4)] == [book(number) for number in range(4)]
    first_times = [row.recv_time for row in rows if row.kind == "connected"]
    assert all(one <= two < one + 60 * SECOND for one, two in zip(anchors, first_times, strict=True))


def test_a_clock_that_jumps_seals_in_time(tmp_path: Path) -> None:
    """Segments end by rows and time as ever while the clock jumps by an hour at every connection."""
    walls = iter(range(START, START + 10**15, 3600 * SECOND))

    async def drop(number: int, connection: ServerConnection) -> None:
        for text in book(number):
            await connection.send(text)
        await connection.close(1012, "again")

    tape = tmp_path / "tape"
    with Peer(drop) as peer:
        settings = ReaderSettings(
            endpoint("exchange", peer.url),
            QUICK,
            clock_for=lambda _product, last: ReceiveClock(last, wall=lambda: next(walls)),
            connections=30,
            spacing=0.0,
        )
        recorded: Recorded = record([BTC], tape, settings)
    rows = assert_sound(tape)
    assert [row.connection for row in rows if row.kind == "connected"] == list(range(30))
    dates = {path.parent.name for path in tape.glob("product=*/date=*/*.parquet")}
    assert dates == {"date=2026-08-09", "date=2026-08-10", "date=2026-08-11"}
    assert verify(tape).tallies[BTC].digest.hexdigest() == recorded.digests[BTC]


# Peers that do not even speak WebSocket


@contextmanager
def tcp_peer(answer: bytes, times: int) -> Iterator[str]:
    """Answer handshakes by bytes, so many times; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve_all() -> None:
            with suppress(OSError):
                for _ in range(times):
                    client, _ = server.accept()
                    with client, suppress(OSError):
                        client.settimeout(10)
                        client.recv(65536)
                        client.sendall(answer)

        thread = threading.Thread(target=serve_all, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"


def redirect(location: str) -> bytes:
    """Return an answer that sends the client elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


ODD_ANSWERS: Final[dict[str, bytes]] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 4,
    "no HTTP": b"220 smtp ready\r\n",
    "not WebSocket": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "too many requests": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "unavailable": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\ncut",
    "a wrong key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IHRoaXMgb25l\r\n\r\n",
    "bytes in a header": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: \xff\xfe\r\n\r\n",
    "a header of a megabyte": b"HTTP/1.1 101 X\r\nA: " + b"x" * 2**20 + b"\r\n\r\n",
    "headers without end": b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * 10_000,
    "redirect to a website": redirect("https://example.invalid/"),
    "redirect to no address": redirect("ws://[::1"),
    "redirect to a bad port": redirect("ws://127.0.0.1:99999/"),
}


@pytest.mark.parametrize("name", ODD_ANSWERS)
def test_a_handshake_that_fails_is_tried_again(tmp_path: Path, name: str) -> None:
    """Whatever is answered to the handshake, it is told and tried again; only a defect may end it."""
    tape = tmp_path / "tape"
    waits: list[int] = []

    class StopAtSecond(Backoff):
        """Ends the recording where it is about to connect for the third time."""

        def wait(self, attempt: int, rng: random.Random) -> float:  # noqa: ARG002  the interface
            waits.append(attempt)
            if len(waits) == 2:
                signal.raise_signal(signal.SIGINT)
            return 0.01

    with tcp_peer(ODD_ANSWERS[name], 3) as url:
        record([BTC], tape, ReaderSettings(endpoint("exchange", url), StopAtSecond(), spacing=0.0))
    assert waits[:2] == [0, 1]
    assert read_rows(tape) == []
