"""Cutting the tapes of products into pieces.

The first are large, as each costs something, the last small, so that all workers end at about the same time.
A piece begins where a segment does whose sidecar has the book before it, so that nothing before it is read.
A segment without a sidecar stays in the piece before.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from orderbook.times import parse_time
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.format.sidecars import has_book
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from replay.running.window import Window

_SMALLEST_PER_WORKER: Final = 16
"""How many of the smallest pieces would be the share of a worker. Each piece costs a sidecar and a merge."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive rows of a product, or some lanes of a backtest on all of them.

    Attributes:
        first_seq: seq of the first row, 0 or that of an original segment.
        next_seq: seq of the row after the last one; None if it lasts to the end of the tape.
        lanes: which lanes, see `replay.simulation.sharing`; None for all.
    """

    first_seq: int = 0
    next_seq: int | None = None
    lanes: range | None = None

    @property
    def is_first(self) -> bool:
        """Whether no other piece precedes it."""
        return not self.first_seq


WHOLE_PRODUCT: Final = Piece()
"""All rows of a product."""


@dataclass(frozen=True, slots=True)
class ProductPieces:
    """The pieces of a product of a tape, in order.

    Attributes:
        tape: number of the tape, if there are several.
        product: product id.
        pieces: at least one.
    """

    tape: int
    product: str
    pieces: tuple[Piece, ...]

    def each(self) -> "list[ProductPiece]":
        """Return the pieces with their product."""
        return [ProductPiece(self.tape, self.product, piece) for piece in self.pieces]


def whole_product(tape: int, product: str) -> ProductPieces:
    """Return a product of a tape as its only piece."""
    return ProductPieces(tape, product, (WHOLE_PRODUCT,))


@dataclass(frozen=True, slots=True)
class ProductPiece:
    """A piece of a product of one of several tapes; picklable, and small: a cluster is sent many.

    Attributes:
        tape: number of the tape.
        product: product id.
        piece: its rows.
    """

    tape: int
    product: str
    piece: Piece


def cut_for_workers(
    tapes: Iterable[tuple[Tape, Sequence[str]]],
    window: Window,
    workers: int,
    *,
    at_connections: bool = False,
    believes_unlisted: bool = True,
) -> list[ProductPieces]:
    """Cut the products of tapes into some pieces for each worker, and at least one for each product.

    Args:
        tapes: the tapes with their products.
        window: the part of each tape that is read.
        workers: how many work at once.
        at_connections: cut only where a connection begins, as the trades of one are judged together.
        believes_unlisted: whether to cut also at a book whose checksum is not listed.

    Raises:
        DamagedTapeError: if a list of segments cannot be read.
    """
    found = [
        (place, product, tape.product(product))
        for place, (tape, products) in enumerate(tapes)
        for product in products
    ]
    sizes = [rows.stored_bytes() for _, _, rows in found]
    ends = list(accumulate(sizes, initial=0))
    cuts = [share * ends[-1] for share in shares(workers)]
    return [
        ProductPieces(
            place,
            product,
            pieces_of(
                rows,
                window,
                [(cut - start) / size for cut in cuts if start < cut < start + size],
                at_connections=at_connections,
                believes_unlisted=believes_unlisted,
            ),
        )
        for (place, product, rows), size, start in zip(found, sizes, ends, strict=False)
    ]


def shares(workers: int) -> Iterator[float]:
    """Yield where work is cut, as parts of all of it: each piece is half of a worker's share of what is left.

    >>> [round(each, 2) for each in shares(2)]
    [0.25, 0.44, 0.58, 0.68, 0.76, 0.82, 0.87, 0.9, 0.93, 0.96, 0.99]
    """
    done = 0.0
    while workers and done < 1:
        if done:
            yield done
        done += max((1 - done) / 2, 1 / _SMALLEST_PER_WORKER) / workers


def pieces_of(
    tape: ProductTape,
    window: Window,
    cuts: Sequence[float],
    *,
    at_connections: bool = False,
    believes_unlisted: bool = True,
) -> tuple[Piece, ...]:
    """Cut a product at some parts of its bytes in a window, each at the next place where it can be cut.

    Raises:
        DamagedTapeError: if the list of segments cannot be read.
    """
    if not cuts:
        return (WHOLE_PRODUCT,)
    entries = tape.segments()
    parts = tape.parts()
    begins = [parse_time(part.first_recv_time) or 0 for part in parts]
    first = 0 if window.start is None else max(bisect_right(begins, window.start) - 1, 0)
    last = len(parts) if window.end is None else bisect_right(begins, window.end - 1)
    # The first piece has a segment that begins in the window: it must not be one without rows.
    begun = first + any(begin < (window.start or 0) for begin in begins[first : first + 1])
    sizes = list(_sizes(entries, parts))[first:last]
    left, starts, seen = deque(each * sum(sizes) for each in cuts), [0], 0.0
    for place, size in enumerate(sizes, first):
        if place > begun and left and seen >= left[0]:
            is_connection = parts[place].connections[0] != parts[place - 1].connections[1]
            may_cut = (is_connection or not at_connections) and (
                believes_unlisted or parts[place].book_sha256
            )
            if may_cut and has_book(tape.directory, parts[place]):
                starts.append(parts[place].first_seq)
                while left and left[0] <= seen:
                    left.popleft()
        seen += size
    return tuple(map(Piece, starts, [*starts[1:], None]))


def _sizes(entries: Sequence[SegmentEntry], parts: Sequence[Part]) -> Iterator[float]:
    """Yield the bytes of each part: of the segment into which it was merged as many as of its rows."""
    seqs = [part.first_seq for part in parts]
    for entry in entries:
        inside = slice(bisect_left(seqs, entry.first_seq), bisect_left(seqs, entry.next_seq))
        for low, high in pairwise([*seqs[inside], entry.next_seq]):
            yield entry.bytes * (high - low) / entry.rows
