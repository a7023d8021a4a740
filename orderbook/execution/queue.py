"""The place of a resting order in its level's queue, as far as level2 and trades tell it.

`back` and `share` are what stands ahead of us if those behind us cancel first, and if everybody cancels
alike; as `front` nobody is ever ahead. A smaller level says that others traded or cancelled. Which of both is
decided when its trade comes, or when none has come for 250 ms: until then the decrease waits.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from orderbook.execution.market import Market, is_later, not_in_book
from orderbook.execution.settings import MS
from orderbook.venues.base import Side

PATIENCE: Final = 250 * MS
"""How long a decrease waits for a trade that explains it: for so long Coinbase collects trades."""

MOST_WAITING: Final = 16


class Ahead(NamedTuple):
    """A size in units under each queue model: what is ahead of an order, or what reaches it."""

    back: int
    share: int
    front: int


@dataclass(slots=True)
class Decrease:
    """A level that became smaller without a trade that explains it, at most by `amount`."""

    time: int
    amount: int
    before: int
    after: int
    book_time: int | None


class Owed(NamedTuple):
    """A trade at our price that the book does not show yet."""

    size: int
    time: int | None


@dataclass(slots=True)
class QueuePlace:
    """The place of one order.

    Attributes:
        level: the level's size as last seen.
        since: book time (E) when the order came.
        back, share: what is ahead of it.
        owed: trades at its price that the book does not show yet.
        waiting: decreases that no trade has explained, oldest first.
        is_fresh: whether no book frame has come since.
    """

    level: int
    since: int | None
    back: int
    share: int
    owed: list[Owed]
    waiting: deque[Decrease] = field(default_factory=deque)
    is_fresh: bool = True

    @classmethod
    def at_the_back(cls, market: Market, side: Side, price: int) -> "QueuePlace":
        """Return the place of an order that comes now."""
        level = market.size_at(side, price)
        owed = [Owed(each.size, each.time) for each in market.printed(side, price)]
        ahead = max(0, level - sum(each.size for each in owed))
        return cls(level, market.book_time, ahead, ahead, owed)

    @property
    def ahead(self) -> Ahead:
        """What is ahead under each model."""
        return Ahead(self.back, self.share, 0)

    @property
    def waits_for_book(self) -> bool:
        """Whether the next book frame matters, also if it leaves the level as it is."""
        return self.is_fresh or bool(self.owed)

    def see_book(self, now: int, size: int, book_time: int | None) -> None:
        """Take note of the level's size after a book frame."""
        self.settle_old(now)
        shown = sum(each.size for each in self.owed if not is_later(each.time, book_time))
        self.owed = [each for each in self.owed if is_later(each.time, book_time)]
        expected = self.level - shown  # below 0 if others came and traded between two frames
        if size < expected:
            if len(self.waiting) == MOST_WAITING:
                self._settle_oldest()
            self.waiting.append(Decrease(now, expected - size, max(self.level, 1), size, book_time))
        elif self.is_fresh:
            self.back += size - expected  # it may have come before us, on its way while we were
        self.is_fresh = False
        self.level = size

    def see_snapshot(self, now: int, size: int) -> None:
        """Take note of a second snapshot on the connection: what came before it is void."""
        self.settle_old(now)
        self.waiting.clear()
        self.owed.clear()
        self.back, self.share = min(self.back, size), min(self.share, size)
        self.is_fresh = False
        self.level = size

    def settle_old(self, now: int) -> None:
        """Settle decreases for which no trade came in time."""
        while self.waiting and now >= self.waiting[0].time + PATIENCE:
            self._settle_oldest()

    def settle_before_trade(self, now: int, trade_time: int | None) -> None:
        """Settle what a trade at or through our price cannot explain, as it happened later."""
        self.settle_old(now)
        while self.waiting and is_later(trade_time, self.waiting[0].book_time):
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        """Count the oldest decrease as a cancel. Here the level's size bounds what is ahead."""
        cancel = self.waiting.popleft()
        self.share -= cancel.amount * self.share // cancel.before
        self.back, self.share = min(self.back, cancel.after), min(self.share, cancel.after)

    def trade_through(self) -> None:
        """Take note that someone sold beyond our price: nobody is ahead any more."""
        self.back = self.share = 0

    def trade_reaches(self, left: int) -> Ahead:
        """Let what is left of a trade go through those ahead; return what reaches us under each model."""
        reaches = Ahead(*(left - min(ahead, left) for ahead in self.ahead))
        self.back -= min(self.back, left)
        self.share -= min(self.share, left)
        return reaches

    def explain(self, size: int, trade_time: int | None, book_time: int | None) -> None:
        """Let a trade at our price explain waiting decreases; the book owes the rest of it."""
        while size and self.waiting:
            oldest = self.waiting[0]
            explained = min(size, oldest.amount)
            oldest.amount -= explained
            size -= explained
            if not oldest.amount:
                self.waiting.popleft()
        if size and not_in_book(trade_time, book_time):
            self.owed.append(Owed(size, trade_time))
