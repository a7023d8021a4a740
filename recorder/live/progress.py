"""How far a product has come over its connections, and the watch over the one that is open."""

import asyncio
import logging
from collections import Counter

from orderbook.anomalies import oddity_lines
from recorder.live.book_liveness import ProductPast
from recorder.live.clock import Clock, ClockReading
from recorder.live.connection_check import ConnectionCheck, Ending
from recorder.tape.row_batches import Position

log = logging.getLogger(__name__)


class ProductProgress:
    """Progress of one product over its connections."""

    def __init__(self, name: str, position: Position) -> None:
        self.name = name
        self.connection = position.connection - 1
        self.last_time = position.recv_time
        self.opened = 0
        self.open_at_stop: int | None = None  # the connection that was open then
        self.clock: Clock | None = None  # of the last connection
        self.ended = ClockReading.now()  # when it did
        self.state = "it had not connected yet"
        self.began: float | None = None  # its first attempt, in monotonic seconds
        self.past = ProductPast()
        self.oddities: Counter[str] = Counter()  # of the connection
        self._past_oddities: Counter[str] = Counter()  # of those before
        self._told: set[str] = {"trades_unacknowledged"}  # which has a line of its own
        self.ending: Ending | None = None
        self.limit: asyncio.Timeout | None = None  # while it receives

    def had_no_time(self, stopped_at: float, stale_after: float) -> bool:
        """Tell whether a stop, in monotonic seconds, came before its first snapshot was due."""
        return self.began is None or stopped_at - self.began < stale_after

    @property
    def all_oddities(self) -> Counter[str]:
        """What was odd about its connections and ended none; see `orderbook.anomalies`."""
        return self._past_oddities + self.oddities

    def take_oddities(self) -> Counter[str]:
        """Return the oddities of the connection, which has ended."""
        ended, self.oddities = self.oddities, Counter()
        self._past_oddities += ended
        return ended

    def _new_oddities(self) -> list[str]:
        """Return a line for each kind that this run has not logged yet."""
        new = {name: self.oddities[name] for name in self.oddities if name not in self._told}
        self._told.update(new)
        return list(oddity_lines(new))

    def end(self, ending: Ending) -> None:
        """End the connection if it is receiving."""
        if self.limit is not None:
            self.ending = ending
            self.limit.reschedule(0.0)
            self.limit = None

    async def end_if_silent(self, check: ConnectionCheck, interval: float) -> None:
        """End the connection when something did not come in time."""
        now = asyncio.get_running_loop().time
        while (ending := check.problem(now())) is None:
            if check.lacks_trades(now()):
                log.warning("%s: the exchange did not acknowledge the trades; the book goes on", self.name)
            for line in self._new_oddities():
                log.warning("%s: connection %d: %s", self.name, self.connection, line)
            await asyncio.sleep(interval)
        self.end(ending)
