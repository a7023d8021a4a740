"""The one rule of continuity: the messages of a connection are numbered one by one.

It holds for venues with `Venue.is_numbered`, over all products of a connection together. The compiled kernel
has the same rule of its own, in `orderbook.compiled.kernel`. Trades have numbers of a product instead, which
may come out of order: `SeenIds`.
"""

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

_MOST_RANGES: Final = 1024
_MAX_NUMBER: Final = 2**62
"""No connection counts so far; a larger number is out of order."""


def is_gap(last: int | None, number: int) -> bool:
    """Tell whether messages are missing before this one.

    Args:
        last: the number of the message before it, None if it is the first one.
        number: its own number.

    >>> is_gap(None, 7), is_gap(6, 7), is_gap(5, 7), is_gap(7, 7)
    (False, False, True, True)
    """
    return last is not None and number != last + 1


class NumberFaults(NamedTuple):
    """What is wrong with the numbers of a connection.

    Attributes:
        missing: how many numbers no product has, between the lowest and the highest.
        disordered: how many repeat, go back or begin again.
    """

    missing: int = 0
    disordered: int = 0

    def __str__(self) -> str:
        missing = f"{self.missing:,} sequence numbers are missing" if self.missing else ""
        disordered = f"{self.disordered:,} repeat or go back" if self.disordered else ""
        return ", ".join(filter(None, (missing, disordered)))


class SharedNumbers:
    """The numbers of one connection, as the rows of the products that share it hold them.

    The rows of a product are in the order received, so their numbers rise. A frame that is stored under
    several products has one number and the same text under each of them.
    """

    def __init__(self) -> None:
        self._numbers = array("q")
        self._texts = array("I")
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._disordered = 0

    def add(self, product: str, number: int, text: str) -> None:
        """Add the number and the text of a product's next frame. O(length)."""
        self._disordered += number <= self._last.get(product, -_MAX_NUMBER) or number >= _MAX_NUMBER
        if -_MAX_NUMBER < number < _MAX_NUMBER:
            self._first.setdefault(product, number)
            self._last[product] = number
            self._numbers.append(number)
            self._texts.append(crc32(text.encode()))

    def merge(self, later: "SharedNumbers") -> None:
        """Add the numbers of the frames that come next of each product."""
        for product, number in later._first.items():
            self._disordered += number <= self._last.get(product, -_MAX_NUMBER)
            self._first.setdefault(product, number)
        self._last |= later._last
        self._disordered += later._disordered
        self._numbers += later._numbers
        self._texts += later._texts

    def faults(self) -> NumberFaults:
        """Return what is wrong with the numbers so far. O(n log n).

        >>> numbers = SharedNumbers()
        >>> for product, number in [("A", 1), ("A", 4), ("B", 2), ("B", 4), ("B", 2)]:
        ...     numbers.add(product, number, f"frame {number}")
        >>> str(numbers.faults())
        '1 sequence numbers are missing, 1 repeat or go back'
        """
        numbers, texts = np.array(self._numbers, np.int64), np.array(self._texts, np.uint32)
        order = np.lexsort((texts, numbers))
        steps, is_other_text = np.diff(numbers[order]), np.diff(texts[order]) != 0
        missing = int((steps[steps > 0] - 1).sum())
        return NumberFaults(missing, self._disordered + int(np.count_nonzero((steps == 0) & is_other_text)))


class SeenIds:
    """The trade_ids that a connection has shown. They count up by one, so a few ranges hold them all.

    Adding is O(1), or O(ranges) out of order.
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []  # the ranges, in order and apart
        self._ends: list[int] = []  # each is the number after the last of its range

    @property
    def next_number(self) -> int | None:
        """The number after the largest; None if there is none yet."""
        return self._ends[-1] if self._ends else None

    def add_up_to(self, number: int) -> None:
        """Add all numbers from `next_number`, which must be known, to before another one."""
        self._ends[-1] = number

    def add(self, number: int) -> bool:
        """Add a number; return whether it is new.

        With too many ranges the first two are joined, and what lies between counts as seen.

        >>> seen = SeenIds()
        >>> [seen.add(number) for number in (7, 8, 10, 8, 9, 9, 11)]
        [True, True, True, False, True, False, True]
        """
        starts, ends = self._starts, self._ends
        if ends and number == ends[-1]:
            ends[-1] += 1
            return True
        place = bisect_right(starts, number)
        if place and number < ends[place - 1]:
            return False
        starts.insert(place, number)
        ends.insert(place, number + 1)
        for left in (place, place - 1):
            if 0 <= left < len(starts) - 1 and ends[left] == starts[left + 1]:
                del ends[left], starts[left + 1]
        if len(starts) > _MOST_RANGES:
            del ends[0], starts[1]
        return True
