"""The socket thread alone, over real sockets: how it spaces attempts, counts, stops and reports failures."""

import asyncio
import json
import signal
import socket
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest
from websockets.asyncio.server import ServerConnection

from orderbook.engine import RowSpan, Step
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA, empty_batch
from recorder.api import record
from recorder.dataflow.flows import SummaryOutput
from recorder.live.client import FeedReader
from recorder.live.connect import MAX_FRAME_BYTES
from recorder.live.endpoint import FeedError
from recorder.live.queue import Received
from recorder.settings import ConnectionSettings, RecordSettings
from recorder.tape.row_batches import Position
from tests.support.constants import BTC, START, TIMEOUT_S
from tests.support.leaks import leaves_nothing_open
from tests.support.recordings import QUICK, record_here, summaries
from tests.support.scripted_server import (
    BY_US,
    Script,
    ScriptedServer,
    assert_resumed,
    assert_sound,
    book,
    failing,
    frames_on,
    messages,
    payloads_of,
    restart,
    stall,
)
from tests.support.tapes import snapshot, update

PRODUCTS = tuple(f"P{number}-USD" for number in range(12))


class Reading:
    """A reader and what came out of it."""

    def __init__(
        self, url: str, products: tuple[str, ...], feed: str = "exchange", **settings: object
    ) -> None:
        chosen = {"backoff": QUICK, "spacing": 0.0, **settings}
        self.reader = FeedReader(products, ConnectionSettings(feed, url, **{"trades": False, **chosen}))  # type: ignore[arg-type]
        self.queue = self.reader.queue
        self.rows: dict[str, list[Received]] = {product: [] for product in products}

    def start(self) -> None:
        """Start the reader on an empty tape."""
        self.reader.start(dict.fromkeys(self.rows, Position()))

    def until(self, condition: Callable[[], bool]) -> None:
        """Take rows until a condition holds, or everything is finished and drained."""
        deadline = threading.Event()
        timer = threading.Timer(TIMEOUT_S, deadline.set)
        timer.daemon = True
        timer.start()
        while not condition():
            assert not deadline.is_set()
            for product, rows in self.rows.items():
                rows.extend(self.queue.pop(product, 1000))
            if all(self.queue.is_drained(product) for product in self.rows):
                break
            self.queue.wait(0.05)
        timer.cancel()

    def finish(self) -> None:
        """Stop and take all that is left."""
        self.reader.stop()
        self.until(lambda: False)
        self.reader.join(TIMEOUT_S)

    def frames(self, product: str) -> int:
        """Return how many frames came."""
        return sum(row.kind == "frame" for row in self.rows[product])


@contextmanager
def reading(
    script: Script, products: tuple[str, ...] = (BTC,), feed: str = "exchange", **settings: object
) -> Iterator[tuple[Reading, ScriptedServer]]:
    """Read from a peer while the block runs."""
    with ScriptedServer(script, subscriptions=1 if feed == "exchange" else 2) as peer:
        found = Reading(peer.url, products, feed, **settings)
        found.start()
        try:
            yield found, peer
        finally:
            found.reader.stop()
            found.reader.join(TIMEOUT_S)


async def serve_many(_number: int, connection: ServerConnection) -> None:
    """Serve frames of a product that was not subscribed."""
    await connection.send(json.dumps({"type": "subscriptions", "channels": []}))
    for _ in range(20):
        await connection.send(update(BTC))
    await connection.wait_closed()


def test_attempts_are_spaced() -> None:
    """Only one of many products connects at once if attempts are an hour apart."""
    with reading(serve_many, PRODUCTS, spacing=3600.0) as (found, peer):
        found.until(lambda: sum(map(found.frames, PRODUCTS)) == 21)
        assert len(peer.received) == 1
        found.finish()
    assert sorted(found.frames(product) for product in PRODUCTS) == [0] * 11 + [21]
    assert found.reader.failure is None


def test_reconnects_are_spaced_like_first_attempts() -> None:
    """Reconnects are rate-limited too, however short the backoff."""

    async def drop(_number: int, connection: ServerConnection) -> None:
        await connection.close(1012, "")

    with reading(drop, (BTC,), spacing=3600.0) as (found, peer):
        found.until(lambda: [row.kind for row in found.rows[BTC]] == ["connected", "disconnected"])
        found.finish()
        assert len(peer.received) == 1
    assert [row.kind for row in found.rows[BTC]] == ["connected", "disconnected", "disconnected"]


def test_every_product_connects() -> None:
    """All of many products are connected, each on a connection of its own with its own subscription."""
    with reading(serve_many, PRODUCTS, spacing=0.005) as (found, peer):
        found.until(lambda: all(found.frames(product) == 21 for product in PRODUCTS))
        asked = [json.loads(message)["product_ids"] for (message,) in peer.received]
        found.finish()
    assert sorted(asked) == sorted([product] for product in PRODUCTS)


def test_a_stop_ends_every_wait() -> None:
    """A stop ends at once connections, waits for the rate limit, and backoffs."""
    with reading(serve_many, PRODUCTS, spacing=3600.0) as (found, _peer):
        found.until(lambda: sum(map(found.frames, PRODUCTS)) == 21)
        found.finish()
        assert all(found.queue.is_drained(product) for product in PRODUCTS)
    ends = [row.payload for rows in found.rows.values() for row in rows if row.kind == "disconnected"]
    stopped = {"code": 1000, "reason": "stopped", "oddities": {"foreign_frames": 20}}
    assert [json.loads(end) for end in ends] == [stopped]


def test_a_stop_before_the_start() -> None:
    """A reader that was stopped before it began connects to nothing and finishes."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        found = Reading(f"ws://127.0.0.1:{nobody.getsockname()[1]}", (BTC,))
        found.reader.stop()
        found.start()
        found.until(lambda: False)
        found.reader.join(TIMEOUT_S)
        nobody.setblocking(False)
        with pytest.raises(BlockingIOError):
            nobody.accept()
    assert found.rows[BTC] == []
    found.reader.stop()  # once more does no harm, and nothing is left to stop


def test_a_second_stop_leaves_no_socket_open() -> None:
    """A stop while a peer that reads nothing is waited for does not end the loop above an open socket."""

    async def read_nothing(_number: int, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.send(snapshot(BTC))
        await stall(connection)

    def is_closing() -> bool:
        return any(row.kind == "disconnected" for row in found.rows[BTC])

    with leaves_nothing_open(), reading(read_nothing) as (found, _peer):
        found.until(lambda: found.frames(BTC) > 0)
        found.reader.stop()
        found.until(is_closing)
        found.finish()


def test_a_defect_on_a_new_connection_leaves_no_socket_open() -> None:
    """Whatever fails once a socket is open, before its first row or after its last, the socket is closed."""

    def failing(readings: int) -> Callable[..., Callable[[], int]]:
        left = iter(range(readings))
        return lambda *_: lambda: next(left)

    for readings in (0, 21):  # for no row, or for all but the last
        with leaves_nothing_open(), reading(serve_many, clock_for=failing(readings)) as (found, _peer):
            found.until(lambda: False)
            found.reader.join(TIMEOUT_S)
            assert found.reader.failure is not None
            assert len(found.rows[BTC]) == readings


def test_endings_are_counted_by_reason() -> None:
    """Ended connections are counted: the recorder's reasons by name, others by close code."""

    async def end(number: int, connection: ServerConnection) -> None:
        await connection.send(snapshot(BTC))
        if number == 0:
            await connection.send(b"binary")
        elif number == 1:
            await connection.close(1012, "any text")
        elif number == 2:
            connection.transport.abort()
        elif number == 3:
            await connection.close(1012, "any other text")
        await connection.wait_closed()

    with reading(end) as (found, _peer):
        found.until(lambda: sum(row.kind == "connected" for row in found.rows[BTC]) == 5)
        found.finish()
    endings = found.reader.endings(BTC)
    assert endings.pop("closed 1006") == 1
    assert endings == {"binary frame": 1, "closed 1012": 2, "closed 1000": 1}
    assert [row.connection for row in found.rows[BTC] if row.kind == "connected"] == list(range(5))


def test_a_subscription_includes_heartbeats() -> None:
    """Heartbeats are subscribed with the book on both feeds, so that silence means a dead connection."""
    feeds: tuple[str, ...] = ("exchange", "advanced")
    for feed in feeds:
        with reading(failing(stall, feed), feed=feed) as (found, peer):
            found.until(lambda found=found: found.frames(BTC) == 3)  # type: ignore[misc]
            found.finish()
            (asked,) = peer.received
        messages = [json.loads(message) for message in asked]
        if feed == "exchange":
            assert messages[0]["channels"] == ["level2_batch", "heartbeat"]
        else:
            assert [message["channel"] for message in messages] == ["level2", "heartbeats"]


def error(reason: str) -> str:
    """Return an error frame."""
    return json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason})


def answering(answers: Callable[[str, int], list[str]]) -> Script:
    """Return a script that sends what is returned for a product and the number of its connection, from 0."""
    connections: Counter[str] = Counter()

    async def script(_number: int, connection: ServerConnection) -> None:
        (product,) = json.loads(messages(connection)[0])["product_ids"]
        connections[product] += 1
        for text in answers(product, connections[product] - 1):
            await connection.send(text)
        await connection.wait_closed()

    return script


def reasons(rows: Iterable[Received]) -> list[str]:
    """Return why the connections of a product ended."""
    return [json.loads(row.payload)["reason"] for row in rows if row.kind == "disconnected"]


def test_a_refused_product_is_given_up_and_the_others_go_on() -> None:
    """A product that is refused for good is not asked for again; the others are received until the stop."""
    good, bad, other = PRODUCTS[:3]

    def answer(product: str, _connection: int) -> list[str]:
        return [error(f"{bad} is not a valid product")] if product == bad else [snapshot(product)]

    with reading(answering(answer), (good, bad, other)) as (found, peer):
        found.until(lambda: bad in found.reader.given_up and all(map(found.frames, (good, other))))
        found.finish()
        assert len(peer.received) == 3
    assert found.reader.failure is None
    assert "not a valid product" in found.reader.given_up[bad]
    assert found.reader.failures({good: 1, other: 1}) == found.reader.given_up
    assert [reasons(found.rows[each]) for each in (good, bad, other)] == [
        ["stopped"],
        ["refused", "stopped"],  # how long it was not recorded is known
        ["stopped"],
    ]


def test_the_reader_ends_if_no_product_is_left() -> None:
    """If all are refused, the reader ends by itself, and its failure names each of them with the reason."""
    with reading(answering(lambda product, _: [error(f"{product} is delisted")]), PRODUCTS[:3]) as (found, _):
        found.until(lambda: False)
        found.reader.join(TIMEOUT_S)
    assert isinstance(found.reader.failure, FeedError)
    assert all(f"{each} is delisted" in str(found.reader.failure) for each in PRODUCTS[:3])


@pytest.mark.parametrize("reason", ["rate limit exceeded", f"too many requests for {BTC}", "oops"])
def test_what_may_pass_is_tried_again(reason: str) -> None:
    """An error that does not refuse the product for good ends the connection, and the next one is asked."""

    def answer(product: str, connection: int) -> list[str]:
        return [error(reason)] if connection < 2 else [snapshot(product)]

    with reading(answering(answer), stale_after=1.0) as (found, _):
        found.until(lambda: found.frames(BTC) == 3)
        found.finish()
    assert set(reasons(found.rows[BTC])) <= {"refused", "stale", "stopped"}  # stale: if this machine stalls
    assert found.reader.given_up == {}
    assert found.reader.failures({BTC: 1}) == {}


def test_an_error_about_something_else_ends_nothing() -> None:
    """If the snapshot follows the error, the connection goes on."""
    frames = [error("You need to specify at least one product ID for channel heartbeat"), snapshot(BTC)]
    with reading(repeating(frames)) as (found, peer):
        found.until(lambda: found.frames(BTC) == 40)
        found.finish()
        assert len(peer.received) == 1


def test_a_product_that_was_received_is_given_up_only_after_three_refusals() -> None:
    """An exchange may say anything while it restarts; a delisted product is given up in the end."""

    def answer(product: str, connection: int) -> list[str]:
        refused = [error(f"{product} is not a valid product")]
        return [snapshot(product), "BYE"] if connection in (0, 3) else refused

    async def script(number: int, connection: ServerConnection) -> None:
        for text in answer(BTC, number):
            await (connection.close(1000, "delisted") if text == "BYE" else connection.send(text))
        await connection.wait_closed()

    with reading(script) as (found, peer):
        found.until(lambda: False)
        assert len(peer.received) == 7
    refused = ["refused"]
    assert reasons(found.rows[BTC]) == ["delisted", *refused * 2, "delisted", *refused * 3]
    assert isinstance(found.reader.failure, FeedError)


def test_a_new_connection_is_not_ended_for_an_earlier_one() -> None:
    """What was malformed on a connection that has ended in the meantime ends no other."""
    asked = threading.Event()

    async def close_first(number: int, connection: ServerConnection) -> None:
        await connection.send(snapshot(BTC))
        if number == 0:
            await connection.close(1012, "restart")
        await asyncio.to_thread(asked.wait, TIMEOUT_S)
        await connection.send(update(BTC, ("buy", "98", "1")))
        await connection.wait_closed()

    empty = (empty_batch(FLOW_SUMMARY_SCHEMA), empty_batch(FLOW_ANOMALY_SCHEMA))
    step = Step(RowSpan(), *empty, frozenset(), 0, 0)
    with reading(close_first) as (found, _):
        found.until(lambda: found.frames(BTC) == 2)
        found.reader.resync(BTC, replace(step, diverged=frozenset({0})))
        asked.set()
        found.until(lambda: found.frames(BTC) == 3)
        found.reader.resync(BTC, replace(step, diverged=frozenset({1})))
        found.until(lambda: "malformed" in reasons(found.rows[BTC]))
        found.finish()
    assert [row.connection for row in found.rows[BTC] if row.kind == "frame"][:3] == [0, 1, 1]
    assert reasons(found.rows[BTC])[:2] == ["restart", "malformed"]


def repeating(frames: list[str], then: str = "") -> Script:
    """Return a script: send frames, and from then on one frame again and again."""

    async def script(_number: int, connection: ServerConnection) -> None:
        for text in frames:
            await connection.send(text)
        for beat in count():
            await connection.send(then or heartbeat(beat))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await connection.recv()

    return script


def heartbeat(sequence: int) -> str:
    """Return a heartbeat of the Exchange feed that tells of a market in motion."""
    beat = {"type": "heartbeat", "product_id": BTC, "sequence": sequence, "last_trade_id": sequence}
    return json.dumps(beat)


@pytest.mark.parametrize(
    ("frames", "then", "reason"),
    [
        ([], "", "no snapshot"),
        ([], update(BTC, ("buy", "98", "1")), "no snapshot"),
        ([snapshot(BTC), update(BTC, ("buy", "98", "1"))], "", "dead book"),
    ],
    ids=["heartbeats alone", "updates without a snapshot", "updates that stop"],
)
def test_a_connection_without_a_live_book_is_replaced(frames: list[str], then: str, reason: str) -> None:
    """Frames alone do not keep a connection: it ends for want of a snapshot, or of updates."""
    with reading(repeating(frames, then), stale_after=0.5) as (found, _):
        found.until(lambda: reason in reasons(found.rows[BTC]))
        found.finish()
    assert set(reasons(found.rows[BTC])) <= {reason, "stale", "stopped"}  # stale: if this machine stalls


MALFORMED: Final = {
    "a size": update(BTC, ("buy", "98", "0.-1")),
    "a side": update(BTC, ("bid", "98", "1")),
    "cut": update(BTC, ("buy", "98", "1"))[:-9],
    "a snapshot": snapshot(BTC, [["99", "x"]]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_frame_of_the_book_is_an_interruption(tmp_path: Path, name: str) -> None:
    """A book that missed a frame is fetched anew; what is no frame of the book ends nothing."""
    odd = ["no JSON {", "", "[1]", json.dumps({"type": "mystery"}), json.dumps({"no": "type"})]

    async def send(connection: ServerConnection) -> None:
        for text in (*odd, MALFORMED[name]):
            await connection.send(text)

    tape = tmp_path / "tape"
    with ScriptedServer(failing(send)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    rows = assert_resumed(tape, BY_US, "malformed")
    assert frames_on(rows, 0) == [*book(0), *odd, MALFORMED[name]]


@pytest.mark.parametrize("last", [0, START, START + 10**15])
def test_a_connection_continues_after_the_last_row(last: int) -> None:
    """Connections and times continue after the end of the tape, whatever the wall clock says."""
    with ScriptedServer(failing(restart)) as peer:
        settings = ConnectionSettings("exchange", peer.url, backoff=QUICK, spacing=0.0, connections=1)
        reader = FeedReader([BTC], settings)
        reader.start({BTC: Position(seq=70, connection=8, recv_time=last)})
        reader.join(TIMEOUT_S)
    rows = reader.queue.pop(BTC, 100)
    assert [row.kind for row in rows] == ["connected", *["frame"] * 3, "disconnected"]
    assert {row.connection for row in rows} == {8}
    assert last <= rows[0].recv_time
    assert [row.payload for row in rows[1:4]] == book(0)
    assert [row.recv_time for row in rows] == sorted(row.recv_time for row in rows)


async def half_open(connection: ServerConnection) -> None:
    """Stop reading and answering, like a peer that lost power."""
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
    """Return a compressed text frame of some 70 KB that inflates beyond the limit."""
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


@pytest.mark.parametrize(("harm", "code", "reason"), [pytest.param(*rest, id=name) for name, *rest in HARMS])
def test_every_harm_is_an_interruption_and_a_fresh_snapshot(
    tmp_path: Path, harm: Callable[[ServerConnection], Awaitable[None]], code: int, reason: str | None
) -> None:
    """What a peer does ends in a `disconnected` row with code and reason, and the next connection's book."""
    tape = tmp_path / "tape"
    # Only a peer that says nothing is to be found stale: any other must be found out by itself.
    # A busy machine must not take as long over the book.
    stale_after = 2.0 if reason == "stale" else TIMEOUT_S
    with ScriptedServer(failing(harm)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, stale_after=stale_after)
    rows = assert_resumed(tape, code, reason)
    assert frames_on(rows, 0) == book(0)


def test_a_bomb_is_an_interruption(tmp_path: Path) -> None:
    """A compressed frame that inflates beyond the limit ends the connection with 1009; a new one starts."""
    tape = tmp_path / "tape"
    with ScriptedServer(failing(raw(bomb())), deflate=True) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    rows = assert_resumed(tape, 1009, None)
    assert frames_on(rows, 0) == book(0)


def test_broken_compression_is_an_interruption(tmp_path: Path) -> None:
    """Invalid compressed data ends the connection; a new one starts with a snapshot."""
    tape = tmp_path / "tape"
    with ScriptedServer(failing(raw(b"\xc1\x04\xff\xff\xff\xff")), deflate=True) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    assert payloads_of(assert_resumed(tape, 1002, None))[0]["code"] == 1002


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

    with ScriptedServer(failing(send)) as peer:
        record_here(peer.url, tmp_path / "tape", {BTC: summaries(4)})
    assert frames_on(assert_sound(tmp_path / "tape"), 0) == [*book(0), whole]


def test_a_frame_larger_than_the_bound_is_taken(tmp_path: Path) -> None:
    """A frame larger than the whole queue is recorded, and the connection stays open."""
    more = [update(BTC, *[("buy", "98", "1")] * 10_000), update(BTC)]

    async def send(connection: ServerConnection) -> None:
        for text in more:
            await connection.send(text)
        await connection.close(1012, "restart")

    tape = tmp_path / "tape"
    with ScriptedServer(failing(send)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, queue_bytes=100_000)
    rows = assert_resumed(tape, 1012, "restart")
    assert frames_on(rows, 0) == [*book(0), *more]


def test_a_stalled_dataflow_is_an_overflow(tmp_path: Path) -> None:
    """If the dataflow stalls and the queue is full, the connection ends with `overflow`; no row is lost."""
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
        assert full.wait(TIMEOUT_S)
        if book_done(batch):
            enough.set()
            signal.raise_signal(signal.SIGINT)

    def book_done(batch: pa.RecordBatch) -> bool:
        sizes = zip(*(batch.column(name).to_pylist() for name in ("connection", "bid_size")), strict=True)
        return any(connection and size == connection + 1 for connection, size in sizes)

    tape = tmp_path / "tape"
    with ScriptedServer(script) as peer:
        settings = ConnectionSettings("exchange", peer.url, backoff=QUICK, queue_bytes=200_000, spacing=0.0)
        record([BTC], tape, RecordSettings(settings), output=SummaryOutput(None, take))
    assert enough.is_set()
    rows = assert_sound(tape)
    ends = [each["reason"] for each in payloads_of(rows)]
    assert set(ends[:-1]) == {"overflow"}
    assert ends[-1] == "stopped"
    assert len(frames_on(rows, 0)) > 100
    for connection, said in enumerate(sent):
        received = frames_on(rows, connection)
        assert received == said[: len(received)]
