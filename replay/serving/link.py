"""One client's socket: its messages, the stretches it gets, the faults it meets."""

import asyncio
import logging
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from orderbook.marks import Disconnected
from recorder.printable import printable
from recorder.session import ENDED_BY_US
from recorder.tape.errors import TapeError
from replay.serving.conversation import Conversation
from replay.serving.faults import GARBAGE, Fault
from replay.serving.merging import Said
from replay.serving.reel import take
from replay.serving.script import Stretch
from replay.serving.stage import Stage

log = logging.getLogger(__name__)

PATIENCE_S: Final = 60.0
"""How long a client may take to read what was sent before its connection ended."""

THE_END: Final = Disconnected(1000, "the end of the tape")
OVER: Final = Disconnected(1000, "the tape was served to its end; --loop begins again")
_NOTHING: Final = Disconnected(1000, "the tape has nothing here")
_DAMAGED: Final = Disconnected(1011, "the tape cannot be read")

_SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)} - {ENDED_BY_US})
"""Codes that a close frame can hold, and that are not our own word for an end without one."""

_REASON_BYTES: Final = 123  # what RFC 6455 leaves of a control frame
_FLUSH_POLL_S: Final = 0.001


@dataclass(slots=True)
class _Seat:
    """What this client asked for in one message, and the stretch it would go on with."""

    products: frozenset[str]
    number: int


class Link:
    """A client's connection.

    Args:
        websocket: accepted.
        stage: what is served.
    """

    def __init__(self, websocket: ServerConnection, stage: Stage) -> None:
        self._websocket = websocket
        self._stage = stage
        self._conversation = Conversation(stage.tape.feed, stage.products)
        self._loop = asyncio.get_running_loop()
        self._client = "{}:{}".format(*(websocket.remote_address or ("a client", "gone")))
        self._seats: list[_Seat] = []
        self._playing: list[asyncio.Task[None]] = []
        self._unfinished = 0
        self._is_over = False

    async def run(self) -> None:
        """Serve until the connection is gone."""
        async with asyncio.TaskGroup() as group:
            faults: list[asyncio.Task[None]] = []
            try:
                async for message in self._websocket:
                    text = message if isinstance(message, str) else message.decode(errors="replace")
                    answer = self._conversation.receive(text)
                    for reply in answer.replies:
                        await self._websocket.send(reply)
                    if not answer.products or self._is_over:
                        continue
                    started = self._loop.time()
                    if not self._playing:
                        pending = self._stage.faults.pending
                        faults = [group.create_task(self._fail(each, started)) for each in pending]
                    self._unfinished += 1
                    serving = self._serve(frozenset(answer.products), started)
                    self._playing.append(group.create_task(serving))
            except ConnectionClosed:
                pass
            finally:
                self._leave()
                for task in faults:
                    task.cancel()

    def abort(self) -> None:
        """Break the connection; what was not sent is lost."""
        self._websocket.transport.abort()

    async def _serve(self, products: frozenset[str], started: float) -> None:
        """Send the next stretch of a set of products and end the connection as the tape's ended.

        Args:
            products: asked for in one message.
            started: the loop's time at that message.
        """
        seat = _Seat(products, self._stage.seats.take(products))
        self._seats.append(seat)
        stretches = self._stage.stretches(products)
        if seat.number >= len(stretches) and self._stage.loops:
            seat.number = 0
        name = f"{self._client}: {', '.join(sorted(products))}"
        try:
            if seat.number >= len(stretches):
                await self._end(OVER if stretches else _NOTHING)
                return
            log.info("%s: stretch %d of %d", name, seat.number + 1, len(stretches))
            stretch = stretches[seat.number]
            await self._play(stretch, started, name)
            seat.number += 1
            await self._until(self._due(stretch, stretch.end, started))
            self._unfinished -= 1
            if stretch.ending is not None:
                log.info("%s: %s", name, _told(stretch.ending))
                await self._end(stretch.ending)
            else:
                log.info("%s: the end of the tape", name)
                if not self._unfinished:  # a client that asked for more in another message gets that too
                    await self._end(THE_END)
        except ConnectionClosed:
            pass  # it left
        except TapeError as error:
            log.error("%s", error)  # noqa: TRY400  it names file and row; a traceback would add nothing
            await self._end(_DAMAGED)

    async def _play(self, stretch: Stretch, started: float, name: str) -> None:
        """Send the frames of a stretch when they are due; those that are late at once."""
        unacknowledged = await asyncio.to_thread(self._stage.unacknowledged, stretch)
        frames: Iterator[Said] = self._stage.frames(stretch)
        sent = 0
        try:
            # The next frames are read when these were sent: a slow client costs no more than a fast one.
            while taken := await asyncio.to_thread(take, frames):
                if unacknowledged:
                    await self._acknowledge(unacknowledged, taken[0].text, stretch)
                    unacknowledged = ()
                for said in taken:
                    if self._conversation.wants(said):
                        await self._until(self._due(stretch, said.recv_time, started))
                        await self._websocket.send(said.text)
                        sent += 1
            if unacknowledged:
                await self._acknowledge(unacknowledged, None, stretch)
        except (ConnectionClosed, asyncio.CancelledError):
            log.info("%s: gone after %d frames", name, sent)
            raise

    async def _acknowledge(self, products: Collection[str], first: str | None, stretch: Stretch) -> None:
        """Make up the acknowledgement that the tape has not."""
        text = self._conversation.acknowledgement(products, first, stretch.start)
        await self._websocket.send(text)

    def _due(self, stretch: Stretch, recv_time: int, started: float) -> float:
        """Return when a row is due, on the loop's clock: from one anchor, so nothing accumulates."""
        return started + (recv_time - stretch.start) / 1e9 / self._stage.speed

    async def _until(self, due: float) -> None:
        """Wait until a time of the loop's clock."""
        if (left := due - self._loop.time()) > 0:
            await asyncio.sleep(left)

    async def _fail(self, fault: Fault, started: float) -> None:
        """Let a fault happen where the connection lasts so long and no other had it."""
        await self._until(started + fault.after)
        if not self._stage.faults.take(fault):
            return
        log.info("%s: fault %s", self._client, fault.kind)
        if fault.kind == "garbage":
            with suppress(ConnectionClosed):  # it left
                await self._websocket.send(GARBAGE)
            return
        self._leave()
        if fault.kind == "drop":
            await self._drop()
        else:  # without reading there is no pong either
            self._websocket.transport.pause_reading()

    async def _end(self, ending: Disconnected) -> None:
        """End the connection: by a close frame where there was one, else by breaking it."""
        self._leave()
        if ending.code is None or ending.code not in _SENDABLE:
            await self._drop()
            return
        reason = ending.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        await self._websocket.close(ending.code, reason)

    async def _drop(self) -> None:
        """Break the connection without a closing handshake, all that was sent before it being delivered."""
        transport = self._websocket.transport
        with suppress(OSError, TimeoutError):  # it is gone already, or never will be
            async with asyncio.timeout(PATIENCE_S):
                # asyncio tells nobody when a write buffer runs empty, so there is no event to wait for.
                while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(_FLUSH_POLL_S)
                # An end of the stream alone: closing now would reset a connection on which the client just
                # spoke, and a reset takes back what it has not read.
                transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
                await self._websocket.wait_closed()
        self.abort()

    def _leave(self) -> None:
        """Send nothing more and free this client's seats: it may be back before its connection is gone."""
        self._is_over = True
        for task in self._playing:
            if task is not asyncio.current_task():
                task.cancel()
        for seat in self._seats:
            self._stage.seats.leave(seat.products, seat.number)
        self._seats = []


def _told(ending: Disconnected) -> str:
    word = f"close {ending.code}" if ending.code in _SENDABLE else "drop"
    return f"{word} {printable(ending.reason)}".rstrip()
