"""One side of the synthetic book: orders in price-time priority, the best level first.

A key is a price in ticks, negated on the bid side: on both sides keys grow away from the touch, so the market
needs no separate cases for bids and asks.
"""

import copy
import random
from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

from sortedcontainers import SortedList

from orderbook.venues.base import Side


class OrderEvent(NamedTuple):
    """What happened to an order.

    Attributes:
        batch: number of the batch of the market in which it happened, from 1.
        what: `open`, `fill` or `cancel`; a fill or a cancel may leave a part of the order.
        order: number of the order, unique in the market.
        side: bid or ask.
        price: in ticks.
        size: opened, filled or cancelled, in units of 1e-8.
    """

    batch: int
    what: Literal["open", "fill", "cancel"]
    order: int
    side: Side
    price: int
    size: int


class Ladder:
    """The levels of one side, sizes in units of 1e-8 of the base currency.

    Args:
        side: bid or ask.
        rng: chooses the orders that are cancelled when a level shrinks.

    Attributes:
        batch: number of the current batch.
        events: what happened to every order since the list was put here; None keeps nothing.
    """

    def __init__(self, side: Side, rng: random.Random) -> None:
        self.side: Side = side
        self.batch = 0
        self.events: list[OrderEvent] | None = None
        self._sign = -1 if side == "bid" else 1
        self._rng = rng
        self._keys = SortedList()
        self._sizes: dict[int, int] = {}
        # [order, size, order, size, ...], the oldest first: flat, as a deep book has many, copied often.
        self._queues: dict[int, list[int]] = {}
        self._next_order = 0 if side == "bid" else 1  # even numbers are bids, odd ones asks

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, key: int) -> bool:
        return key in self._sizes

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (price in ticks, size) from the best level outwards."""
        return ((self._sign * key, self._sizes[key]) for key in self._keys)

    def __deepcopy__(self, memo: object) -> Self:
        """Return an independent copy, which keeps no events. O(levels + orders)."""
        other = copy.copy(self)
        own = {
            "events": None,
            "_rng": copy.deepcopy(self._rng),
            "_keys": self._keys.copy(),
            "_sizes": self._sizes.copy(),
            "_queues": {key: queue[:] for key, queue in self._queues.items()},
        }
        vars(other).update(own)  # a copy of every list of a deep book by `copy.deepcopy` takes seconds
        return other

    def key(self, price: int) -> int:
        """Return the key of a price in ticks; the same call turns a key back into its price."""
        return self._sign * price

    def at(self, rank: int) -> int:
        """Return the key of the level with this rank, 0 the best, -1 the worst. O(log n)."""
        key: int = self._keys[rank]
        return key

    def size(self, key: int) -> int:
        """Return the size at a key that has a level."""
        return self._sizes[key]

    def set(self, key: int, size: int) -> None:
        """Set the size at a key by a new order or by cancels; 0 removes the level. O(log n + its orders)."""
        missing = size - self._sizes.get(key, 0)
        if missing > 0:
            self._open(key, missing)
        elif missing < 0:
            self._reduce(key, -missing, "cancel", oldest_first=False)
        self._resize(key, size)

    def take(self, key: int, size: int) -> list[int]:
        """Fill the orders of a level from the oldest on. O(log n + orders there).

        Returns:
            What each of them gave; together the size, or all of the level.
        """
        held = self._sizes[key]
        filled = self._reduce(key, min(size, held), "fill", oldest_first=True)
        self._resize(key, held - sum(filled))
        return filled

    def _resize(self, key: int, size: int) -> None:
        if size:
            if key not in self._sizes:
                self._keys.add(key)
            self._sizes[key] = size
        elif self._sizes.pop(key, 0):
            self._keys.remove(key)
            del self._queues[key]

    def _open(self, key: int, size: int) -> None:
        order = self._next_order
        self._next_order += 2
        self._queues.setdefault(key, []).extend((order, size))
        self._note("open", order, key, size)

    def _reduce(
        self, key: int, size: int, what: Literal["fill", "cancel"], *, oldest_first: bool
    ) -> list[int]:
        """Take a size off the orders at a key, the oldest ones or any; return what each of them gave."""
        queue = self._queues[key]
        parts = []
        while size:
            at = 0 if oldest_first or len(queue) == 2 else 2 * self._rng.randrange(len(queue) // 2)
            part = min(size, queue[at + 1])
            self._note(what, queue[at], key, part)
            parts.append(part)
            size -= part
            queue[at + 1] -= part
            if not queue[at + 1]:
                del queue[at : at + 2]
        return parts

    def _note(self, what: Literal["open", "fill", "cancel"], order: int, key: int, size: int) -> None:
        if self.events is not None:
            self.events.append(OrderEvent(self.batch, what, order, self.side, self.key(key), size))
