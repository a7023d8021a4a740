"""A synthetic market: a seeded order book that changes batch by batch. None of it is real.

Its statistics follow real level2 captures (changes per frame, their distance from the touch, new and deleted
levels, deletions of levels that do not exist). Its spread is a few quoting steps wide, for long times one, as
the settings say; at random times liquidity thins out and comes back.

No clock and no I/O. The book is never crossed or locked after a whole batch, because bids stay at or below a
bid limit, asks at or above an ask limit, and the limits are at least a step apart.
"""

import copy
import random
from typing import NamedTuple, Self

from orderbook.venues.base import Side, TextChange, TextLevel
from replay.synthetic.ladder import Ladder, OrderEvent
from replay.synthetic.settings import BAND_STEPS, MarketSettings, size_text

MAX_CHANGES = 100
"""Maximum number of changes in one batch."""

_REACH_STEPS = 50
"""Changes near the touch are within this many steps of it."""
_MAX_DRIFT_STEPS = 800
"""Maximum distance of the middle from its start, which keeps the touch inside the band of whole steps."""


class BookLevels(NamedTuple):
    """A whole book: bids descending, asks ascending."""

    bids: list[TextLevel]
    asks: list[TextLevel]


class MarketTrade(NamedTuple):
    """A trade with one resting order: decimal text."""

    trade_id: int
    maker_side: Side
    price: str
    size: str


class SyntheticMarket:
    """A synthetic order book that advances one batch at each `update`.

    Args:
        settings: equal settings produce equal books and batches, on any machine.

    Attributes:
        batches: number of batches so far.
        trades: the trades of the last batch, by ascending trade_id. They happened before its other changes.
        last_trade_id: number of the last trade so far, 0 before the first.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self.settings = settings
        self.batches = 0
        self._rng = random.Random(f"{settings.product}/{settings.seed}")
        self._origin = settings.mid_ticks // settings.step
        self._middle = self._origin
        self._gap = 1
        self._gap_wanted = 1
        self._thin_left = 0
        self.trades: list[MarketTrade] = []
        self.last_trade_id = 0
        self._takers = random.Random(f"{settings.product}/{settings.seed}/takers")
        self._ladders = tuple(
            Ladder(side, random.Random(f"{settings.product}/{settings.seed}/{side}"))
            for side in ("bid", "ask")
        )
        self._changes: dict[tuple[Side, int], int] = {}
        for ladder in self._ladders:
            self._fill(ladder)

    def snapshot(self) -> BookLevels:
        """Return the whole current book. O(depth)."""
        price_text = self.settings.price_text
        bids, asks = (
            [(price_text(price), size_text(size)) for price, size in ladder] for ladder in self._ladders
        )
        return BookLevels(bids, asks)

    def update(self) -> list[TextChange]:
        """Advance the market by one batch and return its changes. O(log depth) for each change.

        There are 1 to 100 of them, each for a different level.
        """
        self.batches += 1
        self._changes = {}
        self.trades = []
        for ladder in self._ladders:
            ladder.batch = self.batches
        if self.settings.trade_every and self._takers.random() < 1 / self.settings.trade_every:
            self._trade(self._ladders[self._takers.getrandbits(1)])
        self._vary_gap()
        self._move_middle()
        for ladder in self._ladders:
            self._withdraw(ladder)
        wanted = self._batch_size()
        # A small book may have too few levels to change, so the number of attempts is bounded.
        for _ in range(4 * wanted):
            if len(self._changes) >= wanted:
                break
            ladder = self._ladders[self._rng.getrandbits(1)]
            # Changes far from the touch also keep the depth near its setting.
            if self._rng.random() < 0.83:
                self._change_near(ladder)
            else:
                self._change_far(ladder)
        for ladder in self._ladders:
            best = self._limit(ladder)
            if self.settings.refill and best not in ladder and self._rng.random() < self.settings.refill:
                self._set(ladder, best, self._new_size())
        if not self._changes:
            self._resize(self._ladders[0], self._ladders[0].at(0))
        price_text = self.settings.price_text
        return [
            (side, price_text(-key if side == "bid" else key), size_text(size))
            for (side, key), size in self._changes.items()
        ]

    def keep_events(self) -> list[OrderEvent]:
        """Return a list to which everything that happens to an order from now on is appended, in order."""
        events: list[OrderEvent] = []
        for ladder in self._ladders:
            ladder.events = events
        return events

    def fork(self) -> Self:
        """Return an independent market with the same future as this one. O(depth)."""
        return copy.deepcopy(self)

    def _trade(self, ladder: Ladder) -> None:
        """Let a taker hit a side: it fills orders at the best two levels at most, never all of a side."""
        bits = self._takers.randrange(14, 29)
        size = (1 << bits) + self._takers.getrandbits(bits)
        for key in [ladder.at(rank) for rank in range(min(2, len(ladder) - 1))]:
            if not size:
                break
            price = self.settings.price_text(ladder.key(key))
            for part in ladder.take(key, size):
                self.last_trade_id += 1
                self.trades.append(MarketTrade(self.last_trade_id, ladder.side, price, size_text(part)))
                size -= part
            self._changes[ladder.side, key] = ladder.size(key) if key in ladder else 0

    def _limit(self, ladder: Ladder) -> int:
        """Return the key of the best price that this side may have."""
        bid_limit = self._middle - self._gap // 2
        steps = bid_limit if ladder.side == "bid" else bid_limit + self._gap
        return ladder.key(steps * self.settings.step)

    def _fill(self, ladder: Ladder) -> None:
        """Fill a side to its depth, from the limit outwards."""
        key = self._limit(ladder)
        while len(ladder) < self.settings.depth:
            if self._rng.random() < 0.75 or not self._in_band(ladder, key):
                ladder.set(key, self._new_size())
            key += self._spacing(ladder, key)

    def _in_band(self, ladder: Ladder, key: int) -> bool:
        return abs(ladder.key(key) - self._origin * self.settings.step) < BAND_STEPS * self.settings.step

    def _spacing(self, ladder: Ladder, key: int) -> int:
        """Return a distance in ticks from a key to its next neighbour."""
        return self.settings.step if self._in_band(ladder, key) else self._rng.randrange(1, 4)

    def _vary_gap(self) -> None:
        """Change the gap between the limits: at random times liquidity thins out and comes back."""
        if self._thin_left:
            self._thin_left -= 1
            if not self._thin_left:
                self._gap_wanted = 1
        elif self.settings.thin_every and self._rng.random() < 1 / self.settings.thin_every:
            least = 8 << self._rng.randrange(3)
            self._gap_wanted = least + self._rng.randrange(least)
            self._thin_left = self._rng.randrange(15, 200)
        elif self._rng.random() < 0.04:
            self._gap_wanted = self._rng.choice(self.settings.calm_gaps)
        missing = self._gap_wanted - self._gap
        if missing > 0:
            self._gap += max(1, missing // 2)
        elif missing < 0:
            self._gap -= max(1, -missing // 10)

    def _move_middle(self) -> None:
        """Move the middle by a step at most, drawn back towards its start."""
        if self._rng.random() < 0.12:
            away = (self._middle - self._origin) / _MAX_DRIFT_STEPS
            self._middle += 1 if self._rng.random() < 0.5 - 0.5 * away else -1

    def _withdraw(self, ladder: Ladder) -> None:
        """Delete the levels beyond the limit; a side that becomes too thin grows at its far end."""
        limit = self._limit(ladder)
        while len(ladder) and ladder.at(0) < limit:
            self._set(ladder, ladder.at(0), 0)
        while len(ladder) < (self.settings.depth + 1) // 2:
            worst = ladder.at(-1) if len(ladder) else limit - self.settings.step
            self._set(ladder, worst + self._spacing(ladder, worst), self._new_size())

    def _change_near(self, ladder: Ladder) -> None:
        """Change a level near the touch; the nearer, the more likely."""
        chance = self._rng.random()
        reach = min(_REACH_STEPS, self.settings.depth + 1)
        key = self._limit(ladder) + int(reach * chance * chance * chance) * self.settings.step
        if (ladder.side, key) in self._changes:
            return
        action = self._rng.random()
        if key in ladder:
            if action < 0.27:
                self._remove(ladder, key)
            else:
                self._resize(ladder, key)
        elif action < 0.84:
            self._set(ladder, key, self._new_size())
        elif action < 0.88:
            # A level added and removed within the batch: the feed still reports its deletion.
            self._set(ladder, key, 0)

    def _change_far(self, ladder: Ladder) -> None:
        """Change a level farther from the touch; keeps the depth near its setting."""
        rank = self._rng.randrange(min(_REACH_STEPS, len(ladder) - 1), len(ladder))
        key = ladder.at(rank)
        surplus = len(ladder) - self.settings.depth
        slack = 2 + self.settings.depth // 20
        action = self._rng.random()
        if surplus < -slack or (surplus <= slack and action < 0.23):
            key += self._spacing(ladder, key)
            if key in ladder or ladder.key(key) <= 0:
                return
            if (ladder.side, key) not in self._changes:
                self._set(ladder, key, self._new_size())
        elif (ladder.side, key) in self._changes:
            return
        elif surplus > slack or action < 0.46:
            self._remove(ladder, key)
        else:
            self._resize(ladder, key)

    def _remove(self, ladder: Ladder, key: int) -> None:
        if len(ladder) > 1:
            self._set(ladder, key, 0)

    def _resize(self, ladder: Ladder, key: int) -> None:
        """Set a new size, or at times the same size again, as the feed does."""
        same = self._rng.random() < 0.02
        self._set(ladder, key, ladder.size(key) if same else self._new_size())

    def _set(self, ladder: Ladder, key: int, size: int) -> None:
        ladder.set(key, size)
        self._changes[ladder.side, key] = size

    def _new_size(self) -> int:
        """Draw a size in units of 1e-8, from 0.0007 to 11, evenly distributed over its magnitudes."""
        bits = self._rng.randrange(16, 30)
        return (1 << bits) + self._rng.getrandbits(bits)

    def _batch_size(self) -> int:
        """Draw the number of changes of a batch: usually a few, at times a burst."""
        if self._rng.random() < 0.87:
            return 1 + int(10 * min(self._rng.random(), self._rng.random()))
        # Squared repeatedly: a product of floats is the same on every machine, pow() may not be.
        chance = self._rng.random()
        for _ in range(3):
            chance *= chance
        return 11 + int((MAX_CHANGES - 10) * chance)
