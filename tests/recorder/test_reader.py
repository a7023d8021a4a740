"""The socket thread by itself: how it spaces, counts, stops and what it tells, over real sockets."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.asyncio.server import ServerConnection

from orderbook.feeds import Feed
from recorder.feeds import FeedError, endpoint
from recorder.inbox import Inbox, Received
from recorder.reader import FeedReader, ReaderSettings
from recorder.tape.position import Position
from tests.recorder.processes import QUICK, free_port
from tests.recorder.rows import BTC, START
from tests.recorder.test_continuity import Peer, Script, book, harmed, stall
from tests.replay.tapes import TIMEOUT_S, snapshot, update

PRODUCTS = tuple(f"P{number}-USD" for number in range(12))


class Reading:
    """A reader and what came out of it."""

    def __init__(
        self, url: str, products: tuple[str, ...], feed: Feed = "exchange", **settings: object
    ) -> None:
        chosen = {"backoff": QUICK, "spacing": 0.0, **settings}
        self.inbox = Inbox(products)
        positions = dict.fromkeys(products, Position())
        self.reader = FeedReader(ReaderSettings(endpoint(feed, url), **chosen), self.inbox, positions)  # type: ignore[arg-type]
        self.rows: dict[str, list[Received]] = {product: [] for product in products}

    def until(self, condition: Callable[[], bool]) -> None:
        """Take rows until a condition holds, or everything is finished and drained."""
        deadline = threading.Event()
        timer = threading.Timer(TIMEOUT_S, deadline.set)
        timer.daemon = True
        timer.start()
        while not condition():
            assert not deadline.is_set()
            for product, rows in self.rows.items():
                rows.extend(self.inbox.take(product, 1000))
            if all(self.inbox.is_drained(product) for product in self.rows):
                break
            self.inbox.wait(0.05)
        timer.cancel()

    def finish(self) -> None:
        """Stop and take all that is left."""
        self.reader.stop()
        self.until(lambda: False)
        self.reader.join(10)

    def frames(self, product: str) -> int:
        """Return how many frames came."""
        return sum(row.kind == "frame" for row in self.rows[product])


@contextmanager
def reading(
    script: Script, products: tuple[str, ...] = (BTC,), feed: Feed = "exchange", **settings: object
) -> Iterator[tuple[Reading, Peer]]:
    """Read from a peer while the block runs."""
    with Peer(script, subscriptions=1 if feed == "exchange" else 2) as peer:
        found = Reading(peer.url, products, feed, **settings)
        found.reader.start()
        try:
            yield found, peer
        finally:
            found.reader.stop()
            found.reader.join(10)


async def serve_many(_number: int, connection: ServerConnection) -> None:
    """Serve a snapshot of a product that matters to nobody, then updates."""
    await connection.send(json.dumps({"type": "subscriptions", "channels": []}))
    for _ in range(20):
        await connection.send(update(BTC))
    await connection.wait_closed()


def test_attempts_are_spaced() -> None:
    """Of many products only one connects at once, where the next attempt is an hour away."""
    with reading(serve_many, PRODUCTS, spacing=3600.0) as (found, peer):
        found.until(lambda: sum(map(found.frames, PRODUCTS)) == 21)
        assert len(peer.received) == 1
        found.finish()
    assert sorted(found.frames(product) for product in PRODUCTS) == [0] * 11 + [21]
    assert found.reader.failure is None


def test_reconnects_are_spaced_like_first_attempts() -> None:
    """A connection that ended waits for its turn too, however short its backoff."""

    async def drop(_number: int, connection: ServerConnection) -> None:
        await connection.close(1012, "")

    with reading(drop, (BTC,), spacing=3600.0) as (found, peer):
        found.until(lambda: [row.kind for row in found.rows[BTC]] == ["connected", "disconnected"])
        found.finish()
        assert len(peer.received) == 1
    assert len(found.rows[BTC]) == 2


def test_every_product_gets_its_turn() -> None:
    """All of many products are connected, each on a connection of its own with its own subscription."""
    with reading(serve_many, PRODUCTS, spacing=0.005) as (found, peer):
        found.until(lambda: all(found.frames(product) == 21 for product in PRODUCTS))
        asked = [json.loads(message)["product_ids"] for (message,) in peer.received]
        found.finish()
    assert sorted(asked) == sorted([product] for product in PRODUCTS)


def test_a_stop_ends_what_waits_for_its_turn() -> None:
    """A stop ends at once what is connected, what waits for its turn and what backs off."""
    with reading(serve_many, PRODUCTS, spacing=3600.0) as (found, _peer):
        found.until(lambda: sum(map(found.frames, PRODUCTS)) == 21)
        found.finish()
        assert all(found.inbox.is_drained(product) for product in PRODUCTS)
    ends = [row.payload for rows in found.rows.values() for row in rows if row.kind == "disconnected"]
    assert [json.loads(end) for end in ends] == [{"code": 1000, "reason": "stopped"}]


def test_a_stop_before_the_start() -> None:
    """A reader that was stopped before it began connects to nothing and finishes."""
    found = Reading(f"ws://127.0.0.1:{free_port()}", (BTC,))
    found.reader.stop()
    found.reader.start()
    found.until(lambda: False)
    found.reader.join(10)
    assert found.rows[BTC] == []
    found.reader.stop()  # once more does no harm, and nothing is left to stop


def test_endings_are_counted_by_reason() -> None:
    """What ended connections is counted: our reasons by name, those of others by code."""

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
    """Both feeds are asked for heartbeats beside the book, so that silence means something."""
    feeds: tuple[Feed, ...] = ("exchange", "advanced")
    for feed in feeds:
        with reading(harmed(stall, feed), feed=feed) as (found, peer):
            found.until(lambda found=found: found.frames(BTC) == 3)  # type: ignore[misc]
            found.finish()
            (asked,) = peer.received
        messages = [json.loads(message) for message in asked]
        if feed == "exchange":
            assert messages[0]["channels"] == ["level2_batch", "heartbeat"]
        else:
            assert [message["channel"] for message in messages] == ["level2", "heartbeats"]


def test_heartbeats_alone_keep_a_connection() -> None:
    """A book that is quiet but for heartbeats is not stale, however long."""
    beat = json.dumps({"type": "heartbeat", "product_id": BTC, "sequence": 1})

    async def beat_on(_number: int, connection: ServerConnection) -> None:
        await connection.send(snapshot(BTC))
        while True:
            await connection.send(beat)
            try:
                async with asyncio.timeout(0.04):
                    await connection.recv()
            except TimeoutError:
                continue

    with reading(beat_on, stale_after=1.0) as (found, _peer):
        found.until(lambda: found.frames(BTC) == 30)
        found.finish()
    assert [row.kind for row in found.rows[BTC]].count("connected") == 1


def test_a_refusal_of_one_product_ends_all() -> None:
    """A refused product stops the others too, each with its `disconnected` row, and is the failure."""

    async def refuse_last(number: int, connection: ServerConnection) -> None:
        if number < 2:
            await connection.send(update(PRODUCTS[number]))
        else:
            await connection.send(json.dumps({"type": "error", "message": "no", "reason": "such product"}))
        await connection.wait_closed()

    with reading(refuse_last, PRODUCTS[:3]) as (found, _peer):
        found.until(lambda: False)
        found.reader.join(10)
    assert isinstance(found.reader.failure, FeedError)
    assert "no: such product" in str(found.reader.failure)
    reasons = [json.loads(rows[-1].payload)["reason"] for rows in found.rows.values() if rows]
    assert "refused" in reasons
    assert set(reasons) <= {"refused", "stopped"}


@pytest.mark.parametrize("last", [0, START, START + 10**15])
def test_a_connection_goes_on_after_the_last_row(last: int) -> None:
    """Connections and times go on after where a tape ends, whatever the wall clock says."""
    with Peer(harmed(stall)) as peer:
        inbox = Inbox([BTC])
        settings = ReaderSettings(
            endpoint("exchange", peer.url), QUICK, spacing=0.0, connections=1, stale_after=0.3
        )
        reader = FeedReader(settings, inbox, {BTC: Position(seq=70, connection=8, recv_time=last)})
        reader.start()
        reader.join(TIMEOUT_S)
    rows = inbox.take(BTC, 100)
    assert [row.kind for row in rows] == ["connected", *["frame"] * 3, "disconnected"]
    assert {row.connection for row in rows} == {8}
    assert last <= rows[0].recv_time
    assert [row.payload for row in rows[1:4]] == book(0)
    assert [row.recv_time for row in rows] == sorted(row.recv_time for row in rows)
