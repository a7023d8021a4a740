"""A synthetic market: a seeded order book that changes batch by batch. It is made up, every level of it.

Its statistics follow what was measured on real level2 captures (changes a frame, their distance from
the touch, new and deleted levels, deletions of levels that are not there). Its spread does not: every
now and then liquidity thins out and comes back, so that thresholds from 1 to 20 bps have something to see.

No clock and no I/O. Two rules keep the book from ever being crossed or locked after a whole batch: bids
stand at or below `bid limit`, asks at or above `ask limit`, and the limits are at least a step apart.
"""

import copy
import random
from dataclasses import dataclass
from typing import Self

from replay.synthetic.ladder import Ladder, Side
from replay.synthetic.settings import BAND_STEPS, MarketSettings, size_text

__all__ = ["BookLevels", "Change", "Level", "MarketSettings", "SyntheticMarket"]

Level = tuple[str, str]
"""(price, size), decimal text."""

Change = tuple[Side, str, str]
"""(side, price, absolute size), decimal text; size `0` removes the level."""

MAX_CHANGES = 100
"""Most changes in one batch."""

_REACH_STEPS = 50
"""Changes near the touch fall within this many steps of it."""
_WANDER_STEPS = 800
"""The middle never leaves this distance of its start, so the touch stays inside the band of whole steps."""
_CALM_GAPS = (1, 1, 1, 1, 2, 2, 3)
"""Steps between the two limits while the market is calm."""


@dataclass(frozen=True)
class BookLevels:
    """A whole book: bids descending, asks ascending."""

    bids: list[Level]
    asks: list[Level]


class SyntheticMarket:
    """A synthetic order book that advances one batch at each `update`.

    Args:
        settings: equal settings give equal books and batches, on any machine.
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
        self._ladders = (Ladder("bid"), Ladder("ask"))
        self._changes: dict[tuple[Side, int], int] = {}
        for ladder in self._ladders:
            self._fill(ladder)

    def snapshot(self) -> BookLevels:
        """Return the whole book as it stands. O(depth)."""
        price_text = self.settings.price_text
        bids, asks = (
            [(price_text(price), size_text(size)) for price, size in ladder] for ladder in self._ladders
        )
        return BookLevels(bids, asks)

    def update(self) -> list[Change]:
        """Advance the market by one batch and return its changes. O(log depth) for each change.

        There are 1 to 100 of them, and none changes a level that another one does.
        """
        self.batches += 1
        self._changes = {}
        self._breathe()
        self._walk()
        for ladder in self._ladders:
            self._withdraw(ladder)
        wanted = self._batch_size()
        # A small book may not have as many levels to change as are wanted: the tries are bounded.
        for _ in range(4 * wanted):
            if len(self._changes) >= wanted:
                break
            ladder = self._ladders[self._rng.getrandbits(1)]
            # The part far from the touch is also what keeps the depth where it should be.
            if self._rng.random() < 0.83:
                self._change_near(ladder)
            else:
                self._change_far(ladder)
        if not self._changes:
            self._resize(self._ladders[0], self._ladders[0].at(0))
        price_text = self.settings.price_text
        return [
            (side, price_text(-key if side == "bid" else key), size_text(size))
            for (side, key), size in self._changes.items()
        ]

    def fork(self) -> Self:
        """Return an independent market that goes on from here exactly as this one would. O(depth)."""
        return copy.deepcopy(self)

    def _limit(self, ladder: Ladder) -> int:
        """Return the key of the best price at which this side may stand."""
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
        """Return the distance in ticks from a key to a neighbour."""
        return self.settings.step if self._in_band(ladder, key) else self._rng.randrange(1, 4)

    def _breathe(self) -> None:
        """Let liquidity thin out now and then, and come back: moves the gap between the limits."""
        if self._thin_left:
            self._thin_left -= 1
            if not self._thin_left:
                self._gap_wanted = 1
        elif self.settings.thin_every and self._rng.random() < 1 / self.settings.thin_every:
            least = 8 << self._rng.randrange(3)
            self._gap_wanted = least + self._rng.randrange(least)
            self._thin_left = self._rng.randrange(15, 200)
        elif self._rng.random() < 0.04:
            self._gap_wanted = self._rng.choice(_CALM_GAPS)
        missing = self._gap_wanted - self._gap
        if missing > 0:
            self._gap += max(1, missing // 2)
        elif missing < 0:
            self._gap -= max(1, -missing // 10)

    def _walk(self) -> None:
        """Move the middle by a step at most, drawn back towards its start."""
        if self._rng.random() < 0.12:
            away = (self._middle - self._origin) / _WANDER_STEPS
            self._middle += 1 if self._rng.random() < 0.5 - 0.5 * away else -1

    def _withdraw(self, ladder: Ladder) -> None:
        """Delete what stands beyond the limit; a side that this leaves too thin grows at its far end."""
        limit = self._limit(ladder)
        while len(ladder) and ladder.at(0) < limit:
            self._set(ladder, ladder.at(0), 0)
        while len(ladder) < (self.settings.depth + 1) // 2:
            worst = ladder.at(-1) if len(ladder) else limit - self.settings.step
            self._set(ladder, worst + self._spacing(ladder, worst), self._new_size())

    def _change_near(self, ladder: Ladder) -> None:
        """Change a level near the touch, the nearer the likelier."""
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
            # A level that came and went inside the batch: the feed reports its deletion all the same.
            self._set(ladder, key, 0)

    def _change_far(self, ladder: Ladder) -> None:
        """Change a level anywhere behind the near ones, towards the depth that is wanted."""
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
        """Set a new size, or now and then the size already held, as the feed does."""
        same = self._rng.random() < 0.02
        self._set(ladder, key, ladder.size(key) if same else self._new_size())

    def _set(self, ladder: Ladder, key: int, size: int) -> None:
        ladder.set(key, size)
        self._changes[ladder.side, key] = size

    def _new_size(self) -> int:
        """Draw a size in units of 1e-8, from 0.0007 to 11, spread evenly over its magnitudes."""
        bits = self._rng.randrange(16, 30)
        return (1 << bits) + self._rng.getrandbits(bits)

    def _batch_size(self) -> int:
        """Draw the number of changes of a batch: mostly a few, at times a burst."""
        if self._rng.random() < 0.87:
            return 1 + int(10 * min(self._rng.random(), self._rng.random()))
        # Repeated squares: a product of floats is the same on every machine, pow() need not be.
        chance = self._rng.random()
        for _ in range(3):
            chance *= chance
        return 11 + int((MAX_CHANGES - 10) * chance)
