"""How far the clients have come: nothing tells who they are, so seats are kept and handed on."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for in one message: all that is known of it.

    Attributes:
        products: whose.
        has_books: False where it asked for heartbeats alone.
    """

    products: frozenset[str]
    has_books: bool = True


class Seats:
    """The next stretch of every client that left, by what it asked for."""

    def __init__(self) -> None:
        self._free: dict[Wish, deque[int]] = {}

    def take(self, wish: Wish) -> int:
        """Return the number of the stretch that a client goes on with: 0 where no seat is free."""
        free = self._free.get(wish)
        return free.popleft() if free else 0

    def leave(self, wish: Wish, number: int) -> None:
        """Free a seat for whoever comes next; the one freed first is taken first."""
        self._free.setdefault(wish, deque()).append(number)
