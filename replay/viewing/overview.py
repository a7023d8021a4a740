"""An overview of a whole product: where its segments begin, and the mid prices there, of their sidecars."""

import time
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.decimals import PRICE_UNITS
from orderbook.times import parse_time
from orderbook.tracker import saved_touch
from recorder.tape.format.book_spacing import parts_with_books
from recorder.tape.format.segment_entry import Part
from recorder.tape.format.sidecars import stored_book
from recorder.tape.product_tape import ProductTape

MOST_PARTS: Final = 200
"""Segments that are shown; of a longer tape, as many spread over it."""


class TapeOverview:
    """The segments of a product; their prices are read bit by bit, as each takes as long as its book is deep.

    Args:
        tape: the part of the product.
    """

    def __init__(self, tape: ProductTape) -> None:
        self._tape = tape
        self._mids: dict[int, float] = {}

    def table(self, origin: int, budget_s: float) -> pa.Table:
        """Return a row for each segment with a book: seq and time of its first row, mid before it, `is_read`.

        Args:
            origin: the time that is 0 in it, nanoseconds since 1970.
            budget_s: seconds after which no further sidecar is read.
        """
        parts = self._parts()
        if len(parts) > MOST_PARTS:
            parts = [parts[int(place)] for place in np.linspace(0, len(parts) - 1, MOST_PARTS)]
        end = time.monotonic() + budget_s
        for part in _coarse_to_fine(parts):
            if time.monotonic() >= end:
                break
            if part.first_seq not in self._mids:
                self._mids[part.first_seq] = self._mid(part)
        times = [float((parse_time(part.first_recv_time) or 0) - origin) for part in parts]
        return pa.table(
            {
                "seq": pa.array([float(part.first_seq) for part in parts], pa.float64()),
                "time": pa.array(times, pa.float64()),
                "mid": pa.array([self._mids.get(part.first_seq, np.nan) for part in parts], pa.float64()),
                "is_read": pa.array([part.first_seq in self._mids for part in parts], pa.bool_()),
            }
        )

    def is_indexed(self) -> bool:
        """Tell whether the last segment that needs a sidecar has one, as a sign that all have one."""
        parts = self._parts()
        return len(parts) < 2 or stored_book(self._tape.directory, parts[-1]) is not None

    def _parts(self) -> list[Part]:
        return list(parts_with_books(self._tape.parts()))

    def _mid(self, part: Part) -> float:
        """Return the mid price before a part; NaN if its sidecar does not tell."""
        saved = stored_book(self._tape.directory, part)
        touch = None if saved is None else saved_touch(saved, self._tape.product, self._tape.feed)
        return np.nan if touch is None else sum(touch) / 2 / PRICE_UNITS


def _coarse_to_fine(parts: list[Part]) -> list[Part]:
    """Return parts so that those at the front are spread over all.

    >>> _coarse_to_fine(list("abcde"))
    ['a', 'e', 'c', 'b', 'd']
    """
    ordered: dict[int, None] = {}
    distance = 1 << max(len(parts) - 1, 1).bit_length()
    while distance:
        ordered |= dict.fromkeys(range(0, len(parts), distance))
        distance //= 2
    return [parts[place] for place in ordered]
