"""A WebSocket server that follows a script, and checks of the tape that was recorded from it."""

import asyncio
import json
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Final, Self
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from replay.checking.verify import verify
from tests.support.commands import Json
from tests.support.constants import BTC, TIMEOUT_S
from tests.support.oracle import Row
from tests.support.rows import journals, read_rows
from tests.support.tapes import snapshot, update

Script = Callable[[int, ServerConnection], Awaitable[None]]
"""Function that runs on each connection, given its number, when the client has subscribed."""

_RECEIVED: Final[WeakKeyDictionary[ServerConnection, list[str]]] = WeakKeyDictionary()

BY_US: Final = 4000
"""Close code on the tape of a connection that the recorder ended."""


class ScriptedServer:
    """A WebSocket server on loopback that runs a script, which may break the protocol.

    Args:
        script: called for each connection.
        deflate: whether to offer permessage-deflate.
        subscriptions: number of client messages to wait for before the script begins.
        tls: context of a wss:// server; a ws:// server if None.

    Attributes:
        url: address of the server.
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
        self.url = f"ws{'s' if self._tls else ''}://127.0.0.1:{listening.result(TIMEOUT_S)}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT_S)

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
            logger=logging.Logger("scripted", logging.CRITICAL),  # noqa: LOG001  never configured
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
            _RECEIVED[connection] = self.received[number]
            await self._script(number, connection)
        except ConnectionClosed:
            pass


def messages(connection: ServerConnection) -> list[str]:
    """Return the client's first messages on a connection."""
    return _RECEIVED[connection]


def book(number: int, feed: str = "exchange") -> list[str]:
    """Return a snapshot and two updates that differ from those of every other connection."""
    if feed == "exchange":
        bids = [("buy", "98", f"{number}.{place}") for place in (1, 2)]
        return [snapshot(BTC, [["99", str(number + 1)]]), *(update(BTC, change) for change in bids)]
    return [advanced(place, str(number + 1)) for place in range(3)]


def advanced(number: int, size: str, product: str = BTC) -> str:
    """Return an Advanced frame with this sequence number; number 0 is a snapshot."""
    levels = [{"side": "bid", "price_level": "99", "new_quantity": size}]
    event = {"type": "update" if number else "snapshot", "product_id": product, "updates": levels}
    return json.dumps({"channel": "l2_data", "sequence_num": number, "events": [event]})


def failing(
    failure: Callable[[ServerConnection], Awaitable[None]], feed: str = "exchange", *, times: int = 1
) -> Script:
    """Return a script: send a book on every connection, and on the first, or the first few, fail after it."""

    async def script(number: int, connection: ServerConnection) -> None:
        for text in book(number, feed):
            await connection.send(text)
        if number < times:
            await failure(connection)
        await connection.wait_closed()

    return script


def refusing(error: str) -> Script:
    """Return a script that sends an error frame on every connection."""

    async def refuse(_number: int, connection: ServerConnection) -> None:
        await connection.send(error)
        await connection.wait_closed()

    return refuse


async def restart(connection: ServerConnection) -> None:
    """Close the connection as a service that restarts does."""
    await connection.close(1012, "service restart")


async def stall(connection: ServerConnection) -> None:
    """Send nothing more."""
    await connection.wait_closed()


def payloads_of(rows: list[Row], kind: str = "disconnected") -> list[Json]:
    """Return the decoded payloads of the rows of a kind: `connected` or `disconnected`."""
    return [json.loads(row.payload) for row in rows if row.kind == kind]


def frames_on(rows: list[Row], connection: int) -> list[str]:
    """Return the frames of a connection as text."""
    return [row.payload for row in rows if row.kind == "frame" and row.connection == connection]


def assert_sound(tape: Path) -> list[Row]:
    """Check seq, times, connections and that the tape is complete; return its rows."""
    rows = read_rows(tape)
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert all(one.recv_time <= two.recv_time for one, two in pairwise(rows))
    for connection in range(rows[-1].connection + 1):
        kinds = [row.kind for row in rows if row.connection == connection]
        assert kinds == ["connected", *["frame"] * (len(kinds) - 2), "disconnected"]
    assert not journals(tape)
    assert not verify(tape).damage
    return rows


def assert_resumed(tape: Path, code: int, reason: str | None, feed: str = "exchange") -> list[Row]:
    """Check that a tape has the first connection's book and end, and the second connection's book."""
    rows = assert_sound(tape)
    first, last = payloads_of(rows)
    assert first["code"] == code
    assert reason is None or first["reason"] == reason
    assert last == {"code": 1000, "reason": "stopped"}
    for connection in (0, 1):
        assert frames_on(rows, connection)[:3] == book(connection, feed)
    return rows
