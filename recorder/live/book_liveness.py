"""Whether the book of a connection is live, judged from when its frames came. No clock, no I/O.

A book is live if its updates come, or if nothing happens that could change it. Heartbeats of the Exchange
feed tell whether something happens, trades do on both feeds; without them, only the product's own usual pace
says whether an update is overdue.
"""

from dataclasses import dataclass
from typing import Final

from orderbook.events import Trade

_KNOWN_PACE: Final = 20
"""Number of updates from which on the usual pace of a product is known."""

_UNUSUAL: Final = 10.0
"""An update is overdue if the silence is so many times as long as the longest one of late."""

_FORGET: Final = 1 - 1 / 4096
"""What is left of the longest silence after each update: half of it after 2,839 of them."""

_GRACE: Final = 0.2
"""Part of the time for a snapshot that is left after an error message: it may have meant something else."""

_UNKNOWN_PACE: Final = 60.0
"""An update is overdue after so many times the limit if too few have come to know the pace."""

_MOST_DOUBLINGS: Final = 3


@dataclass(slots=True)
class ProductPast:
    """What is known of a product from its connections of this run.

    Attributes:
        is_served: whether a snapshot of it came.
        refusals: number of connections in a row on which the exchange refused it for good.
        without_book: number of connections in a row that were ended for want of a snapshot or of updates. The
            judgement may have been wrong, so each of them doubles the time that the next one gets.
        updates: number of updates of its book.
        longest_silence: longest time between two updates of late, in seconds.
        trades: number of trades, those of before a connection left out.
        last_trade: the last of them.
    """

    is_served: bool = False
    refusals: int = 0
    without_book: int = 0
    updates: int = 0
    longest_silence: float = 0.0
    trades: int = 0
    last_trade: Trade | None = None


class BookLiveness:
    """Judges the book of one connection; all times are seconds on one monotonic clock.

    Args:
        limit: seconds that a snapshot, or an overdue update, may take.
        past: of the product; kept up to date.
        now: the time at which the book was subscribed to.
    """

    __slots__ = (
        "_has_updates",
        "_limit",
        "_orders",
        "_orders_since",
        "_past",
        "_patience",
        "_since",
        "_snapshot_due",
        "_told",
        "_trades",
        "_trades_since",
        "has_book",
    )

    def __init__(self, limit: float, past: ProductPast, now: float) -> None:
        self._limit = limit
        self._patience: float = limit * 2.0 ** min(past.without_book, _MOST_DOUBLINGS)
        self._past = past
        self._snapshot_due = now + self._patience
        self._since = now  # time of the last frame of the book
        self._told: float | None = None  # when the last heartbeat or trade came
        self._orders: int | None = None
        self._trades: int | None = None
        self._orders_since: float | None = None  # since when it is known that an update is overdue
        self._trades_since: float | None = None
        self.has_book = False
        self._has_updates = False

    def snapshot(self, now: float) -> None:
        """Take note of a snapshot of the product."""
        self.has_book = self._past.is_served = True
        self._past.refusals = 0
        self._begin(now)

    def error(self, now: float) -> None:
        """Take note of an error message in place of a snapshot."""
        self._snapshot_due = min(self._snapshot_due, now + self._patience * _GRACE)

    def update(self, now: float) -> None:
        """Take note of an update of the product's book after its snapshot: called for nearly every frame."""
        past, silence = self._past, now - self._since
        past.longest_silence = max(silence, past.longest_silence * _FORGET)
        past.updates += 1
        self._has_updates = True
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._since = now
        self._orders_since = self._trades_since = None

    def progress(self, now: float, orders: int | None, trades: int | None) -> None:
        """Take note of how far the market has come: something happened if a number has risen.

        Args:
            now: the time.
            orders: a number that rises with whatever happens to the product's orders, None if it is not told.
            trades: the number of the product's last trade, None if it is not told.

        An update may come up to a heartbeat late, so only what happens after a whole interval between two of
        them without an update makes one overdue.
        """
        if orders is None and trades is None:
            return
        has_order, has_trade = _has_risen(self._orders, orders), _has_risen(self._trades, trades)
        self._orders = self._orders if orders is None else orders
        self._trades = self._trades if trades is None else trades
        told, self._told = self._told, now
        if told is None or self._since > told:
            return
        if has_order and self._orders_since is None:
            self._orders_since = now
        if has_trade and self._trades_since is None:
            self._trades_since = now

    def problem(self, now: float) -> str | None:
        """Return why the connection must end, as its `disconnected` row says; None if the book is live.

        The connection has to end at the first reason returned, which is counted.
        """
        if not self.has_book:
            reason = "no snapshot" if now > self._snapshot_due else None
        else:
            reason = "dead book" if self._is_dead(now) else None
        if self._has_updates:
            self._past.without_book = 0
        if reason is not None:
            self._past.without_book += 1
        return reason

    def silence(self, now: float) -> str:
        """Return since when the book is silent, in words."""
        return f"no {'update' if self.has_book else 'snapshot'} for {now - self._since:.1f} s"

    def _is_dead(self, now: float) -> bool:
        # A trade changes the book. An order need not: one that fills at once or not at all leaves no level.
        if self._trades_since is not None and now - self._trades_since > self._limit:
            return True
        if self._orders_since is not None:
            return now - self._orders_since > self._patience
        if self._told is not None and now - self._told <= self._limit:
            return False  # told that nothing happened
        if self._past.updates < _KNOWN_PACE:
            return now - self._since > _UNKNOWN_PACE * self._patience
        return now - self._since > max(self._patience, _UNUSUAL * self._past.longest_silence)


def _has_risen(last: int | None, number: int | None) -> bool:
    return last is not None and number is not None and number > last
