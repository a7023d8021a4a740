"""The synthetic exchange over real sockets: what it sends, what it records, and how connections end."""

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.constants import TIMEOUT_S

BTC = MarketSettings(depth=40)
ETH = MarketSettings(product="ETH-USD", mid="1900.00", tick="0.05", depth=40)
WAIT_S = TIMEOUT_S


def fixed_clock() -> int:
    """Return one and the same instant."""
    return 1_786_309_548_000_000_000


def quiet(**settings: Any) -> ExchangeSettings:
    """Return settings under which every run sends the same frames."""
    return ExchangeSettings(heartbeats=False, now_ns=fixed_clock, **settings)


@contextmanager
def client(exchange: SyntheticExchange) -> Iterator[ClientConnection]:
    """Connect to an exchange."""
    with connect(exchange.url, max_size=None, close_timeout=1, proxy=None) as websocket:
        yield websocket


def subscribe(
    websocket: ClientConnection, *products: str, channels: Iterable[Any] = ("level2_batch",)
) -> None:
    """Subscribe in the words of the Exchange feed."""
    message = {"type": "subscribe", "product_ids": products, "channels": list(channels)}
    websocket.send(json.dumps(message))


def subscribe_advanced(websocket: ClientConnection, channel: str, *products: str) -> None:
    """Subscribe in the words of the Advanced Trade feed."""
    websocket.send(json.dumps({"type": "subscribe", "product_ids": products, "channel": channel}))


def receive(websocket: ClientConnection, number: int) -> list[str]:
    """Return the next frames as text."""
    return [str(websocket.recv(timeout=WAIT_S)) for _ in range(number)]


def receive_until_broken(websocket: ClientConnection) -> list[str]:
    """Return all frames up to an end without a closing handshake, and insist on such an end."""
    frames = []
    while True:
        try:
            frames.append(str(websocket.recv(timeout=WAIT_S)))
        except ConnectionClosedError as closed:
            assert closed.rcvd is None  # noqa: PT017  the frames before the end are wanted too
            return frames


def test_exchange_feed_acknowledges_then_sends_snapshot_and_updates() -> None:
    """The client receives exactly the frames that the exchange records as sent, in the order of the feed."""
    with SyntheticExchange([BTC], quiet(frames=20)) as exchange, client(exchange) as websocket:
        subscribe(websocket, "BTC-USD", channels=["heartbeat", {"name": "level2_batch"}])
        frames = receive(websocket, 22)
        exchange.wait_for_done()
        assert exchange.sent == [frames]
        assert exchange.connections[0].rounds == 20
    types = [json.loads(frame)["type"] for frame in frames]
    assert types == ["subscriptions", "snapshot"] + ["l2update"] * 20
    names = [channel["name"] for channel in json.loads(frames[0])["channels"]]
    assert names == ["heartbeat", "level2_50"]


def test_advanced_feed_numbers_every_message() -> None:
    """Snapshots come before the acknowledgement, as measured, and sequence_num has no gap."""
    settings = quiet(feed="advanced", frames=10)
    with SyntheticExchange([BTC, ETH], settings) as exchange, client(exchange) as websocket:
        subscribe_advanced(websocket, "level2", "BTC-USD", "ETH-USD")
        frames = [json.loads(frame) for frame in receive(websocket, 3 + 2 * 10)]
    assert [frame["sequence_num"] for frame in frames] == list(range(23))
    assert [frame["channel"] for frame in frames] == ["l2_data"] * 2 + ["subscriptions"] + ["l2_data"] * 20
    assert frames[2]["events"] == [{"subscriptions": {"level2": ["BTC-USD", "ETH-USD"]}}]
    events = [frame["events"][0] for frame in frames]
    assert [event["type"] for event in events[:2]] == ["snapshot"] * 2
    assert [event["product_id"] for event in events[3:]] == ["BTC-USD", "ETH-USD"] * 10


def test_frames_follow_from_the_seed() -> None:
    """Two exchanges with one seed send the same frames, and so do two clients of one exchange."""
    runs = []
    for _ in range(2):
        with (
            SyntheticExchange([BTC], quiet(frames=50)) as exchange,
            client(exchange) as one,
            client(exchange) as two,
        ):
            subscribe(one, "BTC-USD")
            subscribe(two, "BTC-USD")
            runs += [receive(one, 52), receive(two, 52)]
    assert runs[0] == runs[1] == runs[2] == runs[3]


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_unknown_product_is_answered_by_an_error(feed: str) -> None:
    """The connection stays open and a valid subscribe still works."""
    with SyntheticExchange([BTC], quiet(feed=feed, frames=1)) as exchange, client(exchange) as websocket:
        for product in ("FOO-USD", "BTC-USD"):
            if feed == "exchange":
                subscribe(websocket, product)
            else:
                subscribe_advanced(websocket, "level2", product)
        error, *rest = (json.loads(frame) for frame in receive(websocket, 4))
    assert error["type"] == "error"
    assert "FOO-USD is not a valid product" in error.get("reason", error["message"])
    assert all(frame.get("type") != "error" for frame in rest)


def test_a_drop_delivers_everything_and_the_reconnect_continues() -> None:
    """After `drop_after` updates the connection breaks; the next one continues the market."""
    with SyntheticExchange([BTC], quiet(frames=60, drop_after=(30,))) as exchange:
        with client(exchange) as websocket:
            subscribe(websocket, "BTC-USD")
            first = receive_until_broken(websocket)
        with client(exchange) as websocket:
            subscribe(websocket, "BTC-USD")
            second = receive(websocket, 62)
            exchange.wait_for_done()
        assert exchange.sent == [first, second]
    assert len(first) == 32
    with SyntheticExchange([BTC], quiet(frames=60)) as exchange, client(exchange) as websocket:
        subscribe(websocket, "BTC-USD")
        unbroken = receive(websocket, 62)
    assert second[2:32] == unbroken[32:]
    assert second[1] != unbroken[1]


def test_drop_breaks_every_connection_without_a_handshake() -> None:
    """What the clients of an endless feed received is a prefix of what was sent."""
    with (
        SyntheticExchange([BTC], quiet(rate=500.0)) as exchange,
        client(exchange) as one,
        client(exchange) as two,
    ):
        subscribe(one, "BTC-USD")
        subscribe(two, "BTC-USD")
        exchange.wait_until(lambda: [c.rounds >= 10 for c in exchange.connections] == [True, True])
        assert exchange.drop() == 2
        received = [receive_until_broken(one), receive_until_broken(two)]
        exchange.wait_until(lambda: all(c.closed for c in exchange.connections))
        for frames, sent in zip(received, exchange.sent, strict=True):
            assert frames == sent[: len(frames)]
        assert exchange.drop() == 0


def test_close_all_closes_with_the_code_and_reason() -> None:
    """A restart of the service is announced by a close frame."""
    with SyntheticExchange([BTC], quiet(frames=3)) as exchange, client(exchange) as websocket:
        subscribe(websocket, "BTC-USD")
        receive(websocket, 5)
        closing = threading.Thread(target=exchange.close_all, args=(1001, "maintenance"))
        closing.start()
        with pytest.raises(ConnectionClosedOK) as closed:
            websocket.recv(timeout=WAIT_S)
        closing.join()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "maintenance")


def test_prepared_frames_are_sent_as_they_are() -> None:
    """Text that is not JSON and a frame of 6 MB arrive byte for byte after the acknowledgement."""

    def frames_of(index: int, product: str) -> Iterable[str]:
        return [f"{index} {product} ünd kein JSON {{", "x" * 6_000_000, ""]

    with SyntheticExchange([BTC], quiet(frames_of=frames_of)) as exchange:
        for index in range(2):
            with client(exchange) as websocket:
                subscribe(websocket, "BTC-USD")
                assert receive(websocket, 4)[1:] == list(frames_of(index, "BTC-USD"))
                exchange.wait_for_done(index + 1)


def test_subscribers_get_heartbeats() -> None:
    """A heartbeat follows within the wait, numbered from 1."""
    settings = ExchangeSettings(feed="advanced", frames=0)
    with SyntheticExchange([BTC], settings) as exchange, client(exchange) as websocket:
        subscribe_advanced(websocket, "heartbeats")
        ack, heartbeat = (json.loads(frame) for frame in receive(websocket, 2))
    assert ack["channel"] == "subscriptions"
    assert heartbeat["channel"] == "heartbeats"
    assert heartbeat["events"][0]["heartbeat_counter"] == 1


def test_exchange_shuts_while_a_client_does_not_read() -> None:
    """Leaving the block ends all threads and connections, however stuck a client is."""
    settings = quiet(frames_of=lambda _index, _product: ["x" * 30_000_000] * 2)
    with socket.socket() as raw, SyntheticExchange([BTC], settings) as exchange:
        raw.connect(("127.0.0.1", exchange.port))
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        message = json.dumps({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["level2_batch"]})
        # A client's frame is masked; the mask of zeros leaves the payload as it is.
        raw.sendall(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message.encode())
        received = b""
        while b"xxx" not in received:
            received += raw.recv(4096)
    assert exchange.connections[0].closed
    assert "synthetic-exchange" not in [thread.name for thread in threading.enumerate()]


def test_a_port_that_is_taken_is_an_error_on_entering() -> None:
    """The reason reaches the caller instead of dying with the thread."""
    with SyntheticExchange([BTC]) as exchange:
        second = SyntheticExchange([BTC], ExchangeSettings(port=exchange.port))
        with pytest.raises(OSError, match="address already in use"), second:
            pass


def test_no_failure_of_its_thread_is_waited_for() -> None:
    """Whatever keeps it from listening, such as a port that there is not, is raised on entering."""
    with pytest.raises(OverflowError), SyntheticExchange([BTC], ExchangeSettings(port=70_000)):
        pass


def test_waiting_times_out() -> None:
    """A condition that never holds ends in a TimeoutError."""
    with SyntheticExchange([BTC]) as exchange, pytest.raises(TimeoutError):
        exchange.wait_for_connections(1, timeout=0.01)
