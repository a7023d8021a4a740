"""The grid of equity samples: what the book showed at each of its times, noted once for all lanes."""

from typing import NamedTuple


class Mark(NamedTuple):
    """The best prices of a known book at a time of the grid: after all rows up to then."""

    time: int
    connection: int
    bid: int | None
    ask: int | None


class Grid:
    """The marks at whole multiples of a duration, beginning with the first row that is shown.

    Attributes:
        marks: those that not every lane has sampled yet, oldest first.
        forgotten: number of those before them.
    """

    def __init__(self, every: int) -> None:
        self.marks: list[Mark] = []
        self.forgotten = 0
        self.next_time: int | None = None
        self._every = every

    @property
    def end(self) -> int:
        """Number of marks so far."""
        return self.forgotten + len(self.marks)

    def skip(self, time: int) -> None:
        """Go on with the first multiple from a time on: no book is known before."""
        self.next_time = -(-time // self._every) * self._every

    def mark(self, time: int, connection: int, bid: int | None, ask: int | None) -> None:
        """Mark the book at all multiples before a time."""
        while self.next_time is not None and self.next_time < time:
            self.marks.append(Mark(self.next_time, connection, bid, ask))
            self.next_time += self._every

    def since(self, number: int, before: int) -> list[Mark]:
        """Return the marks from a number on that are before a time."""
        first = last = number - self.forgotten
        while last < len(self.marks) and self.marks[last].time < before:
            last += 1
        return self.marks[first:last]

    def forget(self) -> None:
        """Forget the marks: all lanes have sampled them."""
        self.forgotten = self.end
        self.marks.clear()
