"""One side of the synthetic book: integer keys to integer sizes, the best level first on either side.

A key is a price in ticks, negated on the bid side, so that every key grows away from the touch and the
market needs no case for bids and another for asks.
"""

from collections.abc import Iterator
from typing import Literal

from sortedcontainers import SortedList

Side = Literal["bid", "ask"]


class Ladder:
    """The levels of one side, sizes in units of 1e-8 of the base currency.

    Args:
        side: which side the keys stand for.
    """

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self._sign = -1 if side == "bid" else 1
        self._keys = SortedList()
        self._sizes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, key: int) -> bool:
        return key in self._sizes

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (price in ticks, size) from the best level outwards."""
        return ((self._sign * key, self._sizes[key]) for key in self._keys)

    def key(self, price: int) -> int:
        """Return the key of a price in ticks; the same call turns a key back into its price."""
        return self._sign * price

    def at(self, rank: int) -> int:
        """Return the key of the level with this rank, 0 the best, -1 the worst. O(log n)."""
        key: int = self._keys[rank]
        return key

    def size(self, key: int) -> int:
        """Return the size at a key that is held."""
        return self._sizes[key]

    def set(self, key: int, size: int) -> None:
        """Hold this size at a key; 0 removes, also where nothing was held. O(log n)."""
        if size:
            if key not in self._sizes:
                self._keys.add(key)
            self._sizes[key] = size
        elif self._sizes.pop(key, 0):
            self._keys.remove(key)
