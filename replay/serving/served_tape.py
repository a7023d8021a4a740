"""The state that all clients of a served tape share: the tape, its playlists, client positions, faults."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orderbook.errors import BooktapeError
from recorder.tape.overview import overview
from recorder.tape.reader import Tape, TapeLike
from replay.running.window import WHOLE, Window
from replay.serving import frames
from replay.serving.faults import Fault, PendingFaults
from replay.serving.merging import ServedFrame
from replay.serving.playlist import ConnectionReplay, TapeConnection, connections_of, playlist, within


class ServeError(BooktapeError):
    """The tape cannot be served as requested."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a client subscribed to in one message: all that is known of the client.

    Attributes:
        products: product ids.
        has_books: False if it subscribed to heartbeats or trades alone.
    """

    products: frozenset[str]
    has_books: bool = True


class ClientPositions:
    """The positions of clients that left, by subscription: the index of the next connection replay."""

    def __init__(self) -> None:
        self._free: dict[Subscription, deque[int]] = {}

    def take(self, subscription: Subscription) -> int:
        """Take the position that was freed first; 0 if none is free."""
        free = self._free.get(subscription)
        return free.popleft() if free else 0

    def release(self, subscription: Subscription, position: int) -> None:
        """Free the position of a client that leaves, for the next client."""
        self._free.setdefault(subscription, deque()).append(position)


class ServedTape:
    """A tape prepared for serving, as it is when this object is created.

    Args:
        tape: the tape, or its path.
        speed: 1 is the original timing; infinity is as fast as a client reads.
        loops: whether a client that comes back after the end begins again.
        window: the part to serve.
        faults: the faults to inject.

    Raises:
        TapeError: if the tape cannot be read.
        ServeError: if it is empty or has no connection in the window.
    """

    def __init__(
        self,
        tape: TapeLike,
        *,
        speed: float = 1.0,
        loops: bool = False,
        window: Window = WHOLE,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.tape = Tape.open(tape)
        self.speed = speed
        self.loops = loops
        self.positions = ClientPositions()
        self.faults = PendingFaults(faults)
        self.products = self.tape.select(())
        self._window = window
        self._connections: dict[str, list[TapeConnection]] = {}
        for product in self.products:
            found = overview(self.tape.product(product))
            known = connections_of(product, found.connections)
            self._connections[product] = within(known, window)
        if not any(self._connections.values()):
            reason = "the tape has no row" if window == WHOLE else "no connection between --from and --to"
            raise ServeError(f"{self.tape.path}: there is nothing to serve: {reason}")
        self._playlists: dict[frozenset[str], list[ConnectionReplay]] = {}
        self._acknowledged: dict[TapeConnection, bool] = {}
        self._has_trades: bool | None = None

    def playlist(self, products: frozenset[str]) -> list[ConnectionReplay]:
        """Return what a client of these products gets, socket by socket."""
        if products not in self._playlists:
            chosen = {product: self._connections[product] for product in sorted(products)}
            self._playlists[products] = playlist(chosen, self._window.start)
        return self._playlists[products]

    def heartbeat_products(self, products: Iterable[str]) -> frozenset[str]:
        """Return the products whose heartbeats a client without a book gets, out of those it may get.

        If messages are numbered, heartbeats belong to the connection: those of one product suffice.
        """
        if not self.tape.venue.is_numbered:
            return frozenset(products)
        return frozenset(sorted(each for each in products if self._connections[each])[:1])

    def has_trades(self) -> bool:
        """Tell whether the tape has a trade. O(rows before it), once."""
        if self._has_trades is None:
            self._has_trades = any(frames.has_trades(self.tape, product) for product in self.products)
        return self._has_trades

    def frames(self, replay: ConnectionReplay) -> Iterator[ServedFrame]:
        """Yield the frames of a connection replay, read as they are needed.

        Raises:
            DamagedTapeError: if a file is not as it was written.
        """
        return frames.frames(self.tape, replay)

    def unacknowledged(self, replay: ConnectionReplay) -> tuple[str, ...]:
        """Return the products whose connection holds no acknowledgement of a subscribe message.

        O(rows before it), once per connection.
        """
        for each in replay.connections:
            if each not in self._acknowledged:
                self._acknowledged[each] = frames.is_acknowledged(self.tape, each)
        return tuple(each.product for each in replay.connections if not self._acknowledged[each])
