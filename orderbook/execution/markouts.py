"""The mid after each fill: known if the connection is observed until the horizon, as in `compare`."""

from collections import deque
from collections.abc import Callable, Sequence

from orderbook.execution.market import Market
from orderbook.execution.results import FillRow


class Markouts:
    """Fills whose horizons have not all passed.

    Args:
        market: the book, for its mid.
        horizons: ns after a fill, ascending.
        whole: called with each fill once every horizon is known or cannot be.

    Attributes:
        next_due: when the next mark-out is due, None if none is: the first book row after it tells the mid.
    """

    def __init__(self, market: Market, horizons: Sequence[int], whole: Callable[[FillRow], None]) -> None:
        self.next_due: int | None = None
        self._market = market
        self._horizons = horizons
        self._whole = whole
        self._pending: list[deque[FillRow]] = [deque() for _ in horizons]

    def add(self, fill: FillRow) -> None:
        """Follow a fill."""
        if not self._horizons:
            self._whole(fill)
        for pending in self._pending:
            pending.append(fill)
        self._look()

    def see_book(self, time: int) -> None:
        """A book row has come: what was due before it is known by the book before it."""
        if self.next_due is None or self.next_due >= time:
            return
        mid = self._market.before.touch.mid_twice
        for horizon, pending in zip(self._horizons, self._pending, strict=True):
            while pending and pending[0].time + horizon < time:
                self._pass(pending, mid)
        self._look()

    def end(self, touch_mid_twice: int | None, last_book: int) -> None:
        """The connection or the tape ends; its last book row was at `last_book` and left this mid."""
        for horizon, pending in zip(self._horizons, self._pending, strict=True):
            while pending:
                is_known = pending[0].time + horizon <= last_book
                self._pass(pending, touch_mid_twice if is_known else None)
        self._look()

    def _pass(self, pending: deque[FillRow], mid_twice: int | None) -> None:
        fill = pending.popleft()
        fill.later_mids.append(mid_twice)
        if len(fill.later_mids) == len(self._horizons):
            self._whole(fill)

    def _look(self) -> None:
        """Note when the next mark-out is due."""
        due = zip(self._horizons, self._pending, strict=True)
        self.next_due = min((queue[0].time + horizon for horizon, queue in due if queue), default=None)
