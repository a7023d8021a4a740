"""One open connection of the synthetic exchange: the edge that paces and sends what a conversation says."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from websockets.asyncio.server import ServerConnection

from orderbook.feeds import Feed
from replay.synthetic.conversation import Conversation, FramesOf

_HEARTBEAT_S = 1.0
_FLUSH_POLL_S = 0.001


@dataclass(frozen=True)
class ExchangeSettings:
    """How a synthetic exchange serves its markets.

    Attributes:
        feed: the dialect it speaks.
        rate: updates a second of each product; None is as fast as the client takes them.
        frames: updates of each product that a connection gets, then it stays open and silent; None is no end.
        heartbeats: whether a client that subscribes to heartbeats gets one each second. They come by the
            clock: switch them off where every run must send the same frames.
        port: port on 127.0.0.1; 0 is any free one.
        drop_after: for the first connections in order of acceptance, after how many rounds of updates the
            connection is dropped without a closing handshake, everything sent before it being delivered;
            None is never. Later connections are served normally.
        frames_of: (connection index, product) to the frames that are sent, as they are, after the
            acknowledgement in place of snapshot and updates. In the Advanced dialect the acknowledgements
            take the first sequence numbers.
        compression: whether permessage-deflate is offered, as the real feeds do.
        keep_sent: whether `Connection.sent` keeps the text of all frames; off for long benchmarks.
        now_ns: the exchange's clock, nanoseconds since 1970; called in the exchange's thread.
    """

    feed: Feed = "exchange"
    rate: float | None = None
    frames: int | None = None
    heartbeats: bool = True
    port: int = 0
    drop_after: tuple[int | None, ...] = ()
    frames_of: FramesOf | None = None
    compression: bool = True
    keep_sent: bool = True
    now_ns: Callable[[], int] = time.time_ns


@dataclass
class Connection:
    """What happened on one connection. The exchange's thread writes it, any thread may read it.

    Attributes:
        index: 0 for the first connection that was accepted.
        sent: the exact text of all frames handed to the socket, in order. What a client received of a
            dropped connection is a prefix of it.
        received: the client's messages.
        rounds: rounds of updates sent, one update of each product in a round.
        done: all updates were sent.
        closed: the connection is gone.
    """

    index: int
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    rounds: int = 0
    done: bool = False
    closed: bool = False


class Link:
    """A connection's socket, conversation and record, run by one task of the exchange's loop.

    Args:
        websocket: the accepted connection.
        conversation: what is said on it.
        settings: pace and end.
        record: is kept up to date for other threads.
        changed: called after every change of the record that is worth waiting for.
    """

    def __init__(
        self,
        websocket: ServerConnection,
        conversation: Conversation,
        settings: ExchangeSettings,
        record: Connection,
        changed: Callable[[], None],
    ) -> None:
        self.websocket = websocket
        self.record = record
        self._conversation = conversation
        self._settings = settings
        self._changed = changed
        self._sending = asyncio.Lock()
        """Held from the making of frames until they are sent, so that their order is that of `sent`."""

    async def run(self) -> None:
        """Serve until the connection is gone; raises what the socket raises, in an exception group."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._beat())] if self._settings.heartbeats else []
                streaming = False
                try:
                    async for message in self.websocket:
                        text = message if isinstance(message, str) else message.decode(errors="replace")
                        self.record.received.append(text)
                        await self._say(lambda text=text: self._conversation.receive(text))  # type: ignore[misc]
                        if self._conversation.has_book and not streaming:
                            streaming = True
                            tasks.append(group.create_task(self._stream()))
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            self.hush()
            self.record.closed = True
            self._changed()

    def hush(self) -> None:
        """Say nothing more; the next connection finds the markets where this one leaves them."""
        self._conversation.end()

    def drop(self) -> None:
        """Break the connection without a closing handshake; what the kernel has not yet taken is lost."""
        self.hush()
        self.websocket.transport.abort()

    async def _stream(self) -> None:
        """Send rounds of updates at the rate until they end or the connection is to be dropped."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        drop_after = dict(enumerate(self._settings.drop_after)).get(self.record.index)
        for number in count():
            if number == drop_after:
                await self._flush()
                self.drop()
                return
            if number == self._settings.frames:
                break
            # Due times come from the start, so a late round does not delay those after it. With nothing
            # to wait for this still lets the loop look at the client's messages.
            due = start + (number + 1) / self._settings.rate if self._settings.rate else start
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not await self._say(self._conversation.next_round):
                break
            self.record.rounds += 1
            self._changed()
        # The pong says that the client has read what came before.
        await (await self.websocket.ping())
        self.record.done = True
        self._changed()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            await self._say(self._conversation.heartbeat)

    async def _say(self, make: Callable[[], list[str]]) -> int:
        """Make frames, send them and return how many there were."""
        async with self._sending:
            frames = make()
            for text in frames:
                if self._settings.keep_sent:
                    self.record.sent.append(text)
                await self.websocket.send(text)
            return len(frames)

    async def _flush(self) -> None:
        """Wait until the kernel has taken all that was sent."""
        transport = self.websocket.transport
        # asyncio tells nobody when a write buffer runs empty, so there is no event to wait for.
        while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_FLUSH_POLL_S)
