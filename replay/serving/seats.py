"""How far the clients have come: nothing tells who they are, so seats are kept and handed on."""

from collections import deque


class Seats:
    """The next stretch of every client that left, by the set of products it asked for."""

    def __init__(self) -> None:
        self._free: dict[frozenset[str], deque[int]] = {}

    def take(self, products: frozenset[str]) -> int:
        """Return the number of the stretch that a client goes on with: 0 where no seat is free."""
        free = self._free.get(products)
        return free.popleft() if free else 0

    def leave(self, products: frozenset[str], number: int) -> None:
        """Free a seat for whoever comes next; the one freed first is taken first."""
        self._free.setdefault(products, deque()).append(number)
