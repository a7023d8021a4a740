"""What all clients of a served tape share: the tape, its stretches, the seats, the faults to come."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from orderbook.errors import BooktapeError
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.serving import reel
from replay.serving.faults import Fault, PendingFaults
from replay.serving.merging import Said
from replay.serving.script import Stretch, TapeConnection, connections_of, inside, stretches
from replay.serving.seats import Seats
from replay.window import WHOLE, Window


class ServeError(BooktapeError):
    """The tape cannot be served as asked."""


class Stage:
    """A tape ready to be served, as it stands when this is made; `overview` says what is read for that.

    Args:
        path: the tape.
        speed: 1 is the original timing, infinite is as fast as a client takes it.
        loops: whether a client that comes back after the end begins again.
        window: the part that is served.
        faults: what is to go wrong.

    Raises:
        TapeError: where the tape cannot be read.
        ServeError: where it is empty or has no connection in the window.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float = 1.0,
        loops: bool = False,
        window: Window = WHOLE,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.tape = Tape.open(path)
        self.speed = speed
        self.loops = loops
        self.seats = Seats()
        self.faults = PendingFaults(faults)
        self.products = self.tape.select(())
        self._window = window
        self._connections: dict[str, list[TapeConnection]] = {}
        for product in self.products:
            found = overview(self.tape.product(product))
            known = connections_of(product, found.marks, found.last_time)
            self._connections[product] = inside(known, window)
        if not any(self._connections.values()):
            where = "the tape has no row" if window == WHOLE else "no connection between --from and --to"
            raise ServeError(f"{path}: there is nothing to serve: {where}")
        self._stretches: dict[frozenset[str], list[Stretch]] = {}
        self._acknowledged: dict[TapeConnection, bool] = {}

    def stretches(self, products: frozenset[str]) -> list[Stretch]:
        """Return what a client of these products gets, socket after socket."""
        if products not in self._stretches:
            chosen = {product: self._connections[product] for product in sorted(products)}
            self._stretches[products] = stretches(chosen, self._window.start)
        return self._stretches[products]

    def heard_of(self, products: Iterable[str]) -> frozenset[str]:
        """Return whose heartbeats a client without a book gets of the products that it may have them of.

        On the Advanced feed they are of a connection and numbered there, so those of one product are all.
        """
        if self.tape.feed == "exchange":
            return frozenset(products)
        return frozenset(sorted(each for each in products if self._connections[each])[:1])

    def frames(self, stretch: Stretch) -> Iterator[Said]:
        """Yield the frames of a stretch, read as they are needed.

        Raises:
            DamagedTapeError: where a file is not what was written.
        """
        return reel.frames(self.tape, stretch)

    def unacknowledged(self, stretch: Stretch) -> tuple[str, ...]:
        """Return the products of a stretch whose connection holds no acknowledgement of a subscribe.

        O(rows before it) once a connection.
        """
        for each in stretch.connections:
            if each not in self._acknowledged:
                self._acknowledged[each] = reel.is_acknowledged(self.tape, each)
        return tuple(each.product for each in stretch.connections if not self._acknowledged[each])
