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
from recorder.tape.errors import TapeError
from replay.serving.conversation import Conversation
from replay.serving.endings import DAMAGED, NOTHING, OVER, THE_END, close_frame, told
from replay.serving.faults import GARBAGE, Fault
from replay.serving.merging import Said
from replay.serving.reel import take
from replay.serving.script import Stretch
from replay.serving.seats import Wish
from replay.serving.stage import Stage

log = logging.getLogger(__name__)

PATIENCE_S: Final = 60.0
"""How long a client may take to read what was sent before its connection ended."""

_HEARTBEAT_S: Final = 1.0
"""When a client has said all that it asks for: the real feeds' first heartbeat comes so late as well."""

_FLUSH_POLL_S: Final = 0.001


@dataclass(slots=True)
class _Seat:
    """What this client asked for in one message, the stretch it would go on with, whether the tape ended."""

    wish: Wish
    number: int
    has_ended: bool = False


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
        self._listening: asyncio.Task[None] | None = None  # to heartbeats, until it asks for a book
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
                    if self._is_over or not (answer.products or answer.heartbeats):
                        continue
                    started = self._loop.time()
                    if not faults:
                        pending = self._stage.faults.pending
                        faults = [group.create_task(self._fail(each, started)) for each in pending]
                    if answer.products:
                        self._hear_no_more()
                        seat = self._sit(Wish(frozenset(answer.products)))
                        self._playing.append(group.create_task(self._serve(seat, started)))
                    elif self._listening is None:
                        hearing = self._hear(self._stage.heard_of(answer.heartbeats), started)
                        self._listening = group.create_task(hearing)
            except ConnectionClosed:
                pass
            finally:
                self._leave()
                for task in faults:
                    task.cancel()

    def abort(self) -> None:
        """Break the connection; what was not sent is lost."""
        self._websocket.transport.abort()

    def _sit(self, wish: Wish) -> _Seat:
        """Take a seat."""
        seat = _Seat(wish, self._stage.seats.take(wish))
        self._seats.append(seat)
        return seat

    async def _hear(self, products: frozenset[str], started: float) -> None:
        """Send heartbeats alone, unless the client asks for a book as well, as most do right after."""
        await self._until(started + _HEARTBEAT_S)
        await self._serve(self._sit(Wish(products, has_books=False)), started)

    def _hear_no_more(self) -> None:
        """Leave the heartbeats alone: they come with the book from now on."""
        if self._listening is None:
            return
        self._listening.cancel()
        for seat in [each for each in self._seats if not each.wish.has_books]:
            self._seats.remove(seat)
            self._stage.seats.leave(seat.wish, seat.number)

    async def _serve(self, seat: _Seat, started: float) -> None:
        """Send the next stretch of what was asked for and end the connection as the tape's ended.

        Args:
            seat: of a message.
            started: the loop's time at that message.
        """
        stretches = self._stage.stretches(seat.wish.products)
        if seat.number >= len(stretches) and self._stage.loops:
            seat.number = 0
        name = f"{self._client}: {', '.join(sorted(seat.wish.products))}"
        try:
            if seat.number >= len(stretches):
                await self._end(OVER if stretches else NOTHING)
                return
            log.info("%s: stretch %d of %d", name, seat.number + 1, len(stretches))
            stretch = stretches[seat.number]
            unacknowledged = await asyncio.to_thread(self._unacknowledged, seat.wish, stretch)
            await self._play(stretch, unacknowledged, started, name)
            seat.number += 1
            await self._until(self._due(stretch, stretch.end, started))
            seat.has_ended = True
            if stretch.ending is not None:
                log.info("%s: %s", name, told(stretch.ending))
                await self._end(stretch.ending)
            else:
                log.info("%s: the end of the tape", name)
                if all(
                    each.has_ended for each in self._seats
                ):  # a client that asked for more in another message gets that too
                    await self._end(THE_END)
        except ConnectionClosed:
            pass  # it left
        except TapeError as error:
            log.error("%s", error)  # noqa: TRY400  it names file and row; a traceback would add nothing
            await self._end(DAMAGED)

    def _unacknowledged(self, wish: Wish, stretch: Stretch) -> tuple[str, ...]:
        """Return the products for which the tape does not hold the acknowledgement of what was asked for."""
        if wish.has_books:
            return self._stage.unacknowledged(stretch)
        # That of a tape lists its book. On the Exchange feed this client got one as it subscribed.
        return tuple(wish.products) if self._stage.tape.feed == "advanced" else ()

    async def _play(
        self, stretch: Stretch, unacknowledged: Collection[str], started: float, name: str
    ) -> None:
        """Send the frames of a stretch when they are due; those that are late at once."""
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
        frame = close_frame(ending)
        await (self._drop() if frame is None else self._websocket.close(*frame))

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
        for task in (*self._playing, *([self._listening] if self._listening else ())):
            if task is not asyncio.current_task():
                task.cancel()
        for seat in self._seats:
            self._stage.seats.leave(seat.wish, seat.number)
        self._seats = []
