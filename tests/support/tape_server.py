"""`booktape serve` on a thread, its clients, and recordings of what it sends."""

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

from recorder.api import record
from recorder.results import Recorded
from replay.running import api as running
from replay.serving.served_tape import ServedTape
from replay.serving.server import TapeServer
from tests.support.commands import Json
from tests.support.constants import TIMEOUT_S
from tests.support.recordings import quick_settings
from tests.support.rows import read_rows
from tests.support.tapes import products_of, tuples_of

WAIT_S: Final = TIMEOUT_S
MAX: Final = float("inf")


@contextmanager
def serving(tape: Path | ServedTape, *, speed: float = MAX, **settings: Any) -> Iterator[str]:
    """Serve a tape on a thread while the block runs; yield its URL. `settings` are those of `ServedTape`."""
    served = tape if isinstance(tape, ServedTape) else ServedTape(tape, speed=speed, **settings)
    server = TapeServer(served, port=0)
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
    """Subscribe by the protocol of the Exchange feed."""
    websocket.send(json.dumps({"type": "subscribe", "product_ids": products, "channels": channels}))


def subscribe_advanced(websocket: ClientConnection, *products: str, channel: str = "level2") -> None:
    """Subscribe by the protocol of the Advanced Trade feed."""
    websocket.send(json.dumps({"type": "subscribe", "product_ids": products, "channel": channel}))


def until_closed(websocket: ClientConnection) -> tuple[list[str], tuple[int, str] | None]:
    """Return all frames to the connection's end, and code and reason of its close frame, if there was one."""
    frames = []
    while True:
        try:
            frames.append(str(websocket.recv(timeout=WAIT_S)))
        except ConnectionClosed as closed:
            end = closed.rcvd
            return frames, None if end is None else (end.code, end.reason)


def session(url: str, *products: str, channels: Sequence[Any] = ("level2_batch",)) -> tuple[list[str], Any]:
    """Connect, subscribe on the Exchange feed, and return the result of `until_closed`."""
    with client(url) as websocket:
        subscribe(websocket, *products, channels=channels)
        return until_closed(websocket)


def record_served(url: str, tape: Path, products: Sequence[str], feed: str, **settings: Any) -> Recorded:
    """Record a server until the settings end the recording, for example after a number of connections."""
    return record(products, tape, quick_settings(feed, url, **settings))


def frames_of(tape: Path, product: str) -> list[list[str]]:
    """Return a product's frames on a tape, by connection."""
    rows = read_rows(tape, product)
    return [
        [row.payload for row in rows if row.kind == "frame" and row.connection == number]
        for number in range(rows[-1].connection + 1)
    ]


def closes_of(tape: Path, product: str) -> list[tuple[int, str]]:
    """Return code and reason of the close of each of a product's connections."""
    marks: list[Json] = [
        json.loads(row.payload) for row in read_rows(tape, product) if row.kind == "disconnected"
    ]
    return [(mark["code"], mark["reason"]) for mark in marks]


def prices_of(tape: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every summary of a tape by product, without seq, recv_time and connection."""
    result = running.run(tape)
    assert set(result.summaries) == set(products_of(tape))
    return {
        product: tuples_of(table.drop_columns(["seq", "recv_time", "connection"]))
        for product, table in result.summaries.items()
    }
