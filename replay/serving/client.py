"""Serves one client's socket: its messages, its connection replays and its faults."""

import asyncio
import logging
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from orderbook.connection_marks import Disconnected
from recorder.tape.errors import TapeError
from replay.serving.faults import GARBAGE, Fault
from replay.serving.frames import next_chunk
from replay.serving.merging import ServedFrame
from replay.serving.numbering import SocketNumbers
from replay.serving.playlist import ConnectionReplay
from replay.serving.protocol import (
    ALREADY_SERVED,
    DAMAGED_TAPE,
    END_OF_TAPE,
    NOTHING_TO_SERVE,
    Answer,
    ClientSubscriptions,
    close_frame,
    describe,
)
from replay.serving.served_tape import ServedTape, Subscription
from replay.serving.sockets import flush

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 60.0
"""Time that a client has to read what was sent before its connection ended."""

_HEARTBEAT_S: Final = 1.0
"""Time after which a client without a book gets heartbeats; the real feeds send the first one then."""

_SETTLE_S: Final = 0.25
"""Time after its subscription to a book in which a client that gets no trades may still ask for them."""


@dataclass(slots=True)
class _Stream:
    """What this client subscribed to in one message, its position, and whether it has got the whole tape."""

    subscription: Subscription
    position: int
    has_ended: bool = False


class ServedClient:
    """A client's connection.

    Args:
        websocket: the accepted connection.
        tape: the tape to serve.
    """

    def __init__(self, websocket: ServerConnection, tape: ServedTape) -> None:
        self._websocket = websocket
        self._tape = tape
        self._subscriptions = ClientSubscriptions(tape.tape.venue, tape.products)
        self._loop = asyncio.get_running_loop()
        self._address = "{}:{}".format(*(websocket.remote_address or ("a client", "gone")))
        self._numbers = SocketNumbers(tape.tape.venue)
        self._streams: list[_Stream] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._heartbeats: asyncio.Task[None] | None = None  # until it subscribes to a book
        self._is_over = False
        self._asked = asyncio.Event()  # set by each message

    async def run(self) -> None:
        """Serve until the connection is closed."""
        async with asyncio.TaskGroup() as group:
            faults: list[asyncio.Task[None]] = []
            try:
                async for message in self._websocket:
                    text = message if isinstance(message, str) else message.decode(errors="replace")
                    answer = await self._answer(text)
                    self._asked.set()
                    for reply in answer.replies:
                        await self._websocket.send(reply)
                    if self._is_over or not (answer.products or answer.heartbeats or answer.trades):
                        continue
                    started = self._loop.time()
                    if not faults:
                        pending = self._tape.faults.pending
                        faults = [group.create_task(self._inject(each, started)) for each in pending]
                    if answer.products:
                        self._stop_heartbeats()
                        stream = self._open_stream(Subscription(frozenset(answer.products)))
                        self._tasks.append(group.create_task(self._serve(stream, started)))
                    elif self._heartbeats is None:
                        self._heartbeats = group.create_task(self._serve_heartbeats(answer, started))
            except ConnectionClosed:
                pass
            finally:
                self._leave()
                for task in faults:
                    task.cancel()

    async def _answer(self, text: str) -> Answer:
        """Return the answer to a message of the client."""
        if not self._subscriptions.asks_for_trades(text):
            return self._subscriptions.receive(text)
        try:
            has_trades = await asyncio.to_thread(self._tape.has_trades)
        except TapeError:
            has_trades = True  # what is damaged is told where it is sent
        return self._subscriptions.receive(text, has_trades=has_trades)

    def abort(self) -> None:
        """Break the connection; unsent data is lost."""
        self._websocket.transport.abort()

    def _open_stream(self, subscription: Subscription) -> _Stream:
        stream = _Stream(subscription, self._tape.positions.take(subscription))
        self._streams.append(stream)
        return stream

    async def _serve_heartbeats(self, answer: Answer, started: float) -> None:
        """Send heartbeats or trades alone, unless the client subscribes to a book too, as most do at once."""
        await self._until(started + _HEARTBEAT_S)
        products = frozenset(answer.trades) or self._tape.heartbeat_products(answer.heartbeats)
        await self._serve(self._open_stream(Subscription(products, has_books=False)), started)

    def _stop_heartbeats(self) -> None:
        """Stop sending heartbeats alone: from now on they come with the book."""
        if self._heartbeats is None:
            return
        self._heartbeats.cancel()
        for stream in [each for each in self._streams if not each.subscription.has_books]:
            self._streams.remove(stream)
            self._tape.positions.release(stream.subscription, stream.position)

    async def _serve(self, stream: _Stream, started: float) -> None:
        """Send a stream's next connection replay and end the connection as the recorded one ended.

        Args:
            stream: to be served.
            started: the event loop's time when the client subscribed to it.
        """
        playlist = self._tape.playlist(stream.subscription.products)
        if stream.position >= len(playlist) and self._tape.loops:
            stream.position = 0
        name = f"{self._address}: {', '.join(sorted(stream.subscription.products))}"
        try:
            if stream.position >= len(playlist):
                await self._end(ALREADY_SERVED if playlist else NOTHING_TO_SERVE)
                return
            log.info("%s: connection %d of %d", name, stream.position + 1, len(playlist))
            replay = playlist[stream.position]
            unacknowledged = await asyncio.to_thread(self._unacknowledged, stream.subscription, replay)
            await self._send(stream, replay, unacknowledged, started, name)
            stream.position += 1
            await self._until(self._due(replay, replay.end, started))
            stream.has_ended = True
            if replay.close is not None:
                log.info("%s: %s", name, describe(replay.close))
                await self._end(replay.close)
            else:
                log.info("%s: the end of the tape", name)
                # A client that subscribed to more in another message gets all of that too.
                if all(each.has_ended for each in self._streams):
                    await self._end(END_OF_TAPE)
        except ConnectionClosed:
            pass  # the client left
        except TapeError as error:
            log.error("%s", error)  # noqa: TRY400  it names file and row; a traceback would add nothing
            await self._end(DAMAGED_TAPE)

    def _unacknowledged(self, subscription: Subscription, replay: ConnectionReplay) -> tuple[str, ...]:
        """Return the products for which the tape holds no acknowledgement of this subscription."""
        if subscription.has_books:
            return self._tape.unacknowledged(replay)
        # A recorded acknowledgement lists the book. Without numbers this client has been sent one.
        return tuple(subscription.products) if self._tape.tape.venue.is_numbered else ()

    async def _send(
        self,
        stream: _Stream,
        replay: ConnectionReplay,
        unacknowledged: Collection[str],
        started: float,
        name: str,
    ) -> None:
        """Send the frames of a connection replay when they are due; late ones at once."""
        frames: Iterator[ServedFrame] = self._tape.frames(replay)
        numbers = self._numbers.stream(replay, is_whole=stream.subscription.has_books)
        sent = 0
        try:
            # The next chunk is read after this one was sent, so a slow client needs no more memory.
            while chunk := await asyncio.to_thread(next_chunk, frames):
                if unacknowledged:
                    await self._acknowledge(unacknowledged, chunk[0].text, replay)
                    unacknowledged = ()
                for frame in chunk:
                    if await self._is_wanted(frame, started):
                        await self._until(self._due(replay, frame.recv_time, started))
                        await self._websocket.send(numbers.text(frame))
                        sent += 1
                    else:
                        numbers.leave_out(frame)
            if unacknowledged:
                await self._acknowledge(unacknowledged, None, replay)
        except (ConnectionClosed, asyncio.CancelledError):
            log.info("%s: gone after %d frames", name, sent)
            raise

    async def _is_wanted(self, frame: ServedFrame, started: float) -> bool:
        """Return whether the client gets a frame, once it had the time to ask for trades after the book."""
        while not (is_wanted := self._subscriptions.includes(frame)):
            left = started + _SETTLE_S - self._loop.time()
            if left <= 0 or not self._tape.tape.venue.holds_trades(frame.text):
                break
            self._asked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._asked.wait()
        return is_wanted

    async def _acknowledge(
        self, products: Collection[str], first: str | None, replay: ConnectionReplay
    ) -> None:
        """Send a generated acknowledgement in place of the one that the tape lacks."""
        number = self._numbers.acknowledgement(first)
        await self._websocket.send(self._subscriptions.acknowledgement(products, number, replay.start))

    def _due(self, replay: ConnectionReplay, recv_time: int, started: float) -> float:
        """Return when a row is due on the event loop's clock; from one anchor, so errors do not add up."""
        return started + (recv_time - replay.start) / 1e9 / self._tape.speed

    async def _until(self, due: float) -> None:
        """Wait until a time of the event loop's clock."""
        if (remaining := due - self._loop.time()) > 0:
            await asyncio.sleep(remaining)

    async def _inject(self, fault: Fault, started: float) -> None:
        """Inject a fault if the connection lasts long enough and no other has claimed it."""
        await self._until(started + fault.after)
        if not self._tape.faults.claim(fault):
            return
        log.info("%s: fault %s", self._address, fault.kind)
        if fault.kind == "garbage":
            with suppress(ConnectionClosed):  # the client left
                await self._websocket.send(GARBAGE)
            return
        self._leave()
        if fault.kind == "drop":
            await self._drop()
        else:  # without reading, no pong is sent either
            self._websocket.transport.pause_reading()

    async def _end(self, close: Disconnected) -> None:
        """End the connection: by a close frame if one was recorded, else by breaking it."""
        self._leave()
        frame = close_frame(close)
        await (self._drop() if frame is None else self._websocket.close(*frame))

    async def _drop(self) -> None:
        """Break the connection without a closing handshake after all that was sent has been delivered."""
        transport = self._websocket.transport
        with suppress(OSError, TimeoutError):  # the client is gone, or never reads
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await flush(self._websocket)
                # Only end the stream: closing now would reset a connection on which the client has just
                # sent something, and a reset discards what the client has not read.
                transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
                await self._websocket.wait_closed()
        self.abort()

    def _leave(self) -> None:
        """Stop sending and release the positions: the client may be back before its connection is gone."""
        self._is_over = True
        for task in (*self._tasks, *([self._heartbeats] if self._heartbeats else ())):
            if task is not asyncio.current_task():
                task.cancel()
        for stream in self._streams:
            self._tape.positions.release(stream.subscription, stream.position)
        self._streams = []
