"""Serves one connection of the synthetic exchange: sends the frames of a conversation at their pace."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from websockets.asyncio.server import ServerConnection

from replay.serving.sockets import flush
from replay.synthetic.conversation import Conversation
from replay.synthetic.settings import ExchangeSettings

_HEARTBEAT_S = 1.0


@dataclass
class ConnectionRecord:
    """The history of one connection. The exchange's thread writes it, any thread may read it.

    Attributes:
        index: 0 for the first connection accepted.
        sent: exact text of all frames handed to the socket, in order. What the client of a dropped connection
            received is a prefix of it.
        received: the client's messages.
        rounds: number of rounds sent: one update of each product.
        done: whether all updates were sent.
        closed: whether the connection is closed.
    """

    index: int
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    rounds: int = 0
    done: bool = False
    closed: bool = False


class ConnectionServer:
    """Serves a connection in one task of the exchange's event loop.

    Args:
        websocket: the accepted connection.
        conversation: supplies the frames.
        settings: pace and end.
        record: kept up to date for other threads.
        notify: called after every change of the record that a thread may wait for.
    """

    def __init__(
        self,
        websocket: ServerConnection,
        conversation: Conversation,
        settings: ExchangeSettings,
        record: ConnectionRecord,
        notify: Callable[[], None],
    ) -> None:
        self.websocket = websocket
        self.record = record
        self._conversation = conversation
        self._settings = settings
        self._notify = notify
        self._sending = asyncio.Lock()
        """Held from the creation of frames until they are sent, so that `sent` has their order."""

    async def run(self) -> None:
        """Serve until the connection is closed; raises the socket's errors in an exception group."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send_heartbeats())] if self._settings.heartbeats else []
                streaming = False
                try:
                    async for message in self.websocket:
                        text = message if isinstance(message, str) else message.decode(errors="replace")
                        self.record.received.append(text)
                        await self._send(lambda text=text: self._conversation.receive(text))  # type: ignore[misc]
                        is_due = len(self.record.received) >= self._settings.messages
                        if self._conversation.has_book and is_due and not streaming:
                            streaming = True
                            tasks.append(group.create_task(self._stream()))
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            self.stop()
            self.record.closed = True
            self._notify()

    def stop(self) -> None:
        """Stop sending; the next connection continues the markets from here."""
        self._conversation.end()

    def drop(self) -> None:
        """Break the connection without a closing handshake; unsent data is lost."""
        self.stop()
        self.websocket.transport.abort()

    async def _stream(self) -> None:
        """Send rounds of updates at their rate until they end or the connection must be dropped."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        drop_after = dict(enumerate(self._settings.drop_after)).get(self.record.index)
        for number in count():
            if number == drop_after:
                await flush(self.websocket)
                self.drop()
                return
            if number == self._settings.frames:
                break
            # Due times are relative to the start, so a late round does not delay later ones. Without a wait
            # the event loop still gets a turn for the client's messages.
            due = start + (number + 1) / self._settings.rate if self._settings.rate else start
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not await self._send(self._conversation.next_round):
                break
            self.record.rounds += 1
            self._notify()
        # The pong confirms that the client has read everything before it.
        await (await self.websocket.ping())
        self.record.done = True
        self._notify()

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            await self._send(self._conversation.heartbeat)

    async def _send(self, make: Callable[[], list[str]]) -> int:
        """Create frames, send them and return their number."""
        async with self._sending:
            frames = make()
            for text in frames:
                if self._settings.keep_sent:
                    self.record.sent.append(text)
                await self.websocket.send(text)
            return len(frames)
