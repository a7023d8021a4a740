"""Before which segments a book is kept as a sidecar: one an hour, as a deep book is as large as a segment.

Reading begins at the nearest one before, so it reads an hour at most before what is asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from orderbook.times import NS, parse_time
from recorder.settings import SEAL
from recorder.tape.format.segment_entry import Part

_HOUR_NS: Final = 3600 * NS


@dataclass(slots=True)
class BookSpacing:
    """Tells for the segments of a product, in order, which need a book.

    That is the first one that begins in an hour (UTC), and one at latest after so many rows.

    Attributes:
        rows: the rows after which a segment needs one.
        last: seq and time of the first row of the last one with a book; None if there is none.
    """

    rows: int = SEAL.book_rows
    last: tuple[int, int] | None = None

    def needs_book(self, first_seq: int, first_time: int, *, has_book: bool = False) -> bool:
        """Return whether the next segment needs a book, or has one.

        Args:
            first_seq: seq of its first row.
            first_time: recv_time of its first row.
            has_book: whether it has one anyway, as every segment of an earlier version.

        >>> spacing = BookSpacing(rows=100)
        >>> [spacing.needs_book(seq, seq * 10**12) for seq in (0, 3, 4, 50, 80, 180)]
        [True, False, True, True, True, True]
        >>> [spacing.needs_book(seq, 180 * 10**12) for seq in (200, 279, 280)]
        [False, False, True]
        """
        needs = (
            has_book
            or self.last is None
            or first_time // _HOUR_NS != self.last[1] // _HOUR_NS
            or first_seq - self.last[0] >= self.rows
        )
        if needs:
            self.last = first_seq, first_time
        return needs


def parts_with_books(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts whose book is listed, or that need one."""
    spacing = BookSpacing()
    for part in parts:
        time = parse_time(part.first_recv_time) or 0
        if spacing.needs_book(part.first_seq, time, has_book=part.book_sha256 != ""):
            yield part
