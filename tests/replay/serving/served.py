"""What the tests of `serve` share: a server on a thread, clients, and recordings of what it sends."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from orderbook.feeds import Feed
from recorder.feeds import endpoint
from recorder.reader import ReaderSettings
from recorder.record import record
from recorder.recorded import Recorded
from replay import running
from replay.serving.server import TapeServer
from replay.serving.stage import Stage
from tests.recorder.processes import QUICK
from tests.recorder.rows import read_rows
from tests.replay.tapes import Json, products_of, summaries_of

WAIT_S: Final = 10
MAX: Final = float("inf")


@contextmanager
def serving(tape: Path | Stage, *, speed: float = MAX, **settings: Any) -> Iterator[str]:
    """Serve a tape while the block runs, on a thread; yields the address. Settings are those of `Stage`."""
    stage = tape if isinstance(tape, Stage) else Stage(tape, speed=speed, **settings)
    server = TapeServer(stage, port=0)
    listening: Future[str] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(server.run(listening.set_result)), name="serving")
    thread.start()
    try:
        yield listening.result(WAIT_S)
    finally:
        server.stop()
        thread.join()


@contextmanager
def client(url: str) -> Iterator[ClientConnection]:
    """Connect to a server."""
    with connect(url, max_size=None, close_timeout=1, proxy=None) as websocket:
        yield websocket


def subscribe(
    websocket: ClientConnection, *products: str, channels: Sequence[Any] = ("level2_batch",)
) -> None:
    """Subscribe in the words of the Exchange feed."""
    websocket.send(json.dumps({"type": "subscribe", "product_ids": products, "channels": channels}))


def subscribe_advanced(websocket: ClientConnection, *products: str, channel: str = "level2") -> None:
    """Subscribe in the words of the Advanced Trade feed."""
    websocket.send(json.dumps({"type": "subscribe", "product_ids": products, "channel": channel}))


def until_closed(websocket: ClientConnection) -> tuple[list[str], tuple[int, str] | None]:
    """Return all frames to the connection's end, and what its close frame said, if there was one."""
    frames = []
    while True:
        try:
            frames.append(str(websocket.recv(timeout=WAIT_S)))
        except ConnectionClosed as closed:
            end = closed.rcvd
            return frames, None if end is None else (end.code, end.reason)


def session(url: str, *products: str, channels: Sequence[Any] = ("level2_batch",)) -> tuple[list[str], Any]:
    """Connect, subscribe on the Exchange feed, and return all that came: see `until_closed`."""
    with client(url) as websocket:
        subscribe(websocket, *products, channels=channels)
        return until_closed(websocket)


def record_served(url: str, tape: Path, products: Sequence[str], feed: Feed, **settings: Any) -> Recorded:
    """Record what a server sends, until each product had its number of connections."""
    chosen = ReaderSettings(endpoint(feed, url), **{"backoff": QUICK, "spacing": 0.0, **settings})
    return record(products, tape, chosen)


def frames_of(tape: Path, product: str) -> list[list[str]]:
    """Return a product's frames on a tape, by connection."""
    rows = read_rows(tape, product)
    return [
        [row.payload for row in rows if row.kind == "frame" and row.connection == number]
        for number in range(rows[-1].connection + 1)
    ]


def endings_of(tape: Path, product: str) -> list[tuple[int, str]]:
    """Return code and reason of the ends of a product's connections."""
    marks: list[Json] = [
        json.loads(row.payload) for row in read_rows(tape, product) if row.kind == "disconnected"
    ]
    return [(mark["code"], mark["reason"]) for mark in marks]


def prices_of(tape: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every summary of a tape by product, without what belongs to the recording: seq and recv_time."""
    result = running.run(tape)
    assert set(result.summaries) == set(products_of(tape))
    return {
        product: summaries_of(table.drop_columns(["seq", "recv_time"]))
        for product, table in result.summaries.items()
    }
