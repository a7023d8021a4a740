"""Cutting the tape of a product into pieces of about as many bytes each.

A piece begins where a segment does whose sidecar has the book before it, so that nothing before it is read.
A segment without a sidecar stays in the piece before.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orderbook.times import parse_time
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.format.sidecars import has_book
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from replay.running.window import Window

_PIECES_PER_WORKER: Final = 4
"""So that none waits long for the last one. Each piece costs a sidecar and a merge."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive rows of a product.

    Attributes:
        first_seq: seq of the first row, 0 or that of an original segment.
        next_seq: seq of the row after the last one; None if it lasts to the end of the tape.
    """

    first_seq: int = 0
    next_seq: int | None = None

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
    sizes = Counter({(place, product): rows.stored_bytes() for place, product, rows in found})
    number, total = workers * _PIECES_PER_WORKER, max(sizes.total(), 1)
    return [
        ProductPieces(
            place,
            product,
            pieces_of(
                rows,
                window,
                round(number * sizes[place, product] / total),
                at_connections=at_connections,
                believes_unlisted=believes_unlisted,
            ),
        )
        for place, product, rows in found
    ]


def pieces_of(
    tape: ProductTape,
    window: Window,
    number: int,
    *,
    at_connections: bool = False,
    believes_unlisted: bool = True,
) -> tuple[Piece, ...]:
    """Cut a product into `number` pieces, or fewer if it has no more places to cut.

    Raises:
        DamagedTapeError: if the list of segments cannot be read.
    """
    if number < 2:
        return (WHOLE_PRODUCT,)
    entries = tape.segments()
    parts = tape.parts()
    begins = [parse_time(part.first_recv_time) or 0 for part in parts]
    first = 0 if window.start is None else max(bisect_right(begins, window.start) - 1, 0)
    last = len(parts) if window.end is None else bisect_right(begins, window.end - 1)
    sizes = list(_sizes(entries, parts))[first:last]
    starts, seen = [0], 0.0
    for place, size in enumerate(sizes, first):
        if place > first and seen >= sum(sizes) * len(starts) / number:
            is_connection = parts[place].connections[0] != parts[place - 1].connections[1]
            may_cut = (is_connection or not at_connections) and (
                believes_unlisted or parts[place].book_sha256
            )
            if may_cut and has_book(tape.directory, parts[place]):
                starts.append(parts[place].first_seq)
        seen += size
    return tuple(map(Piece, starts, [*starts[1:], None]))


def _sizes(entries: Sequence[SegmentEntry], parts: Sequence[Part]) -> Iterator[float]:
    """Yield the bytes of each part: of the segment into which it was merged as many as of its rows."""
    seqs = [part.first_seq for part in parts]
    for entry in entries:
        inside = slice(bisect_left(seqs, entry.first_seq), bisect_left(seqs, entry.next_seq))
        for low, high in pairwise([*seqs[inside], entry.next_seq]):
            yield entry.bytes * (high - low) / entry.rows
