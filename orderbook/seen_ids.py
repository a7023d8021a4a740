"""The trade_ids that a connection has shown. They count up by one, so a few ranges hold them all."""

from bisect import bisect_right
from typing import Final

_MOST_RANGES: Final = 1024


class SeenIds:
    """A set of whole numbers that nearly follow one another. Adding is O(1), or O(ranges) out of order."""

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
