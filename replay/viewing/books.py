"""Books at some rows of the products that are shown, so that reading near them begins there."""

from collections import OrderedDict
from pathlib import Path
from typing import Final

from orderbook.engine import Engine, State

MOST_BOOKS: Final = 24
"""Books that are kept, of all products together; one of 20,000 levels takes about a megabyte."""


class KeptBooks:
    """The books that were used last.

    Args:
        engine: made them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._books: OrderedDict[tuple[Path, int], State] = OrderedDict()

    def keep(self, product: Path, seq: int, state: State) -> None:
        """Keep the book before a row.

        Args:
            product: directory of the product.
            seq: the row.
            state: with the book; it must not be used again.
        """
        self._books[product, seq] = state
        self._books.move_to_end((product, seq))
        while len(self._books) > MOST_BOOKS:
            self._books.popitem(last=False)

    def nearest(self, product: Path, seq: int) -> tuple[int, State] | None:
        """Return the last row up to this one with a kept book, and a copy of it; None if there is none."""
        rows = [row for directory, row in self._books if directory == product and row <= seq]
        if not rows:
            return None
        found = product, max(rows)
        self._books.move_to_end(found)
        return found[1], self._engine.copy(self._books[found])
