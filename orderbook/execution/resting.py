"""When and at which prices orders rested, and with how much ahead of them: the rows of RUN/resting.

A row begins when an order takes a place in the queue of a price, or is amended without losing it. It ends
when the order ends, is amended, or loses its place because the book is lost (`--on-break keep`). So the rows
of an order have all its prices, and between two rows it did not rest, or nobody knows.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.orders import Order, RestingSince

Rows = npt.NDArray[np.int64]

COLUMNS: Final = (
    *("number", "side", "price", "rested", "until", "size"),
    *("ahead_back", "ahead_share", "ahead_back_until", "ahead_share_until"),
)
"""Columns of the rows, all int64: sides are 0 (bid) and 1 (ask), times ns, prices and sizes units of 1e-8.

`size` is what was left of the order when the row began; what was ahead of it is of then and of the end.
"""

_NONE: Final = np.empty((0, len(COLUMNS)), np.int64)


@dataclass(slots=True)
class RestingRows:
    """Rows that are whole, in the order in which they became so."""

    _parts: list[Rows] = field(default_factory=list)

    def begin(self, now: int, order: Order) -> None:
        """Begin a row of an order that has a place."""
        if order.place is not None:
            order.resting_since = RestingSince(now, order.left, order.place.back, order.place.share)

    def end(self, now: int, order: Order) -> None:
        """End the row of an order; nothing happens if none has begun."""
        since, place = order.resting_since, order.place
        if since is None or place is None:
            return
        order.resting_since = None
        place.settle_old(now)  # as if the strategy looked at it
        time, *ahead = since.time, since.back, since.share, place.back, place.share
        self.add(
            np.array([[order.number, int(order.side == "ask"), order.price, time, now, since.size, *ahead]])
        )

    def add(self, rows: Rows) -> None:
        """Add rows that are whole."""
        self._parts.append(rows)

    def array(self) -> Rows:
        """Return the rows [n, columns]."""
        return np.concatenate(self._parts) if self._parts else _NONE

    def clear(self) -> None:
        """Drop the rows: they have been taken."""
        self._parts.clear()
