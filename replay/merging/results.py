"""The result of a merge."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from orderbook import display
from orderbook.digest import run_digest
from orderbook.document import Document
from orderbook.result import Result
from orderbook.schema import TIME
from orderbook.tally import Tally, products_with_rows
from orderbook.times import format_optional
from replay.checking.origins import OriginTotal, origin_lines

MERGED_SCHEMA: Final = pa.schema(
    [
        pa.field("product", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("first_time", TIME),
        pa.field("last_time", TIME),
        pa.field("connections", pa.int64(), nullable=False),
        pa.field("seams", pa.int64(), nullable=False),
        pa.field("interruptions", pa.int64(), nullable=False),
        pa.field("unproven", pa.int64(), nullable=False),
        pa.field("clamped", pa.int64(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
    ]
)
"""Columns of `Merged.table`."""


class MergedProductDocument(Document, frozen=True):
    """What a merge made of a product.

    Attributes:
        connections: number of connections on the merged tape.
        seams: number of times that another recorder continued the same book, which was proven.
        interruptions: number of times between two connections.
        unproven: how many of these are because no seam was proven, though another recorder had a book.
        clamped: number of rows that got the time of the row before, as their recorder's clock was behind.
        left_out: number of connections that gave no row.
        digest: digest of all summaries.
        origins: what each tape gave.
    """

    rows: int
    first_time: str | None
    last_time: str | None
    connections: int
    seams: int
    interruptions: int
    unproven: int
    clamped: int
    left_out: int
    digest: str
    origins: list[OriginTotal]


class MergedDocument(Document, frozen=True):
    """The JSON form of `Merged`.

    Attributes:
        tape: directory of the merged tape.
        feed: name of its venue.
        digest: digest of the whole tape.
        tapes: names of the tapes that were merged, as `connected` rows have them.
        products: what was made of each product.
    """

    tape: str
    feed: str
    digest: str
    tapes: list[str]
    products: dict[str, MergedProductDocument]


@dataclass(frozen=True, slots=True)
class MergedProduct:
    """What a merge made of a product; see `MergedProductDocument`.

    Attributes:
        tally: of the rows.
    """

    tally: Tally
    connections: int
    seams: int
    unproven: int
    clamped: int
    left_out: int
    origins: tuple[OriginTotal, ...]

    @property
    def interruptions(self) -> int:
        """Number of times between two connections."""
        return max(0, self.connections - 1)

    def document(self) -> MergedProductDocument:
        """Return the JSON form."""
        return MergedProductDocument.of(
            self,
            rows=self.tally.rows,
            first_time=format_optional(self.tally.first_time),
            last_time=format_optional(self.tally.last_time),
            interruptions=self.interruptions,
            digest=self.tally.digest.hexdigest(),
            origins=list(self.origins),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Merged(Result):
    """A merged tape.

    Attributes:
        tape: its directory.
        feed: name of its venue.
        tapes: names of the tapes that were merged.
        products: what was made of each product.
    """

    tape: Path
    feed: str
    tapes: tuple[str, ...]
    products: Mapping[str, MergedProduct]

    @property
    def digest(self) -> str:
        """Digest of the whole tape, hex."""
        return run_digest(products_with_rows({name: each.tally for name, each in self.products.items()}))

    def summary(self) -> str:
        """Return one line: the tape, its rows, seams and interruptions."""
        rows = display.plural(sum(each.tally.rows for each in self.products.values()), "row")
        seams = display.plural(sum(each.seams for each in self.products.values()), "seam")
        left = display.plural(sum(each.interruptions for each in self.products.values()), "interruption")
        return f"{self.tape}: {len(self.tapes)} tapes, {rows}, {seams}, {left} left"

    def table(self) -> pa.Table:
        """Return a row for each product, columns `MERGED_SCHEMA`."""
        return pa.Table.from_pylist(
            [
                {
                    "product": product,
                    "rows": each.tally.rows,
                    "first_time": each.tally.first_time,
                    "last_time": each.tally.last_time,
                    "connections": each.connections,
                    "seams": each.seams,
                    "interruptions": each.interruptions,
                    "unproven": each.unproven,
                    "clamped": each.clamped,
                    "digest": each.tally.digest.hexdigest(),
                }
                for product, each in sorted(self.products.items())
            ],
            MERGED_SCHEMA,
        )

    def _document(self) -> MergedDocument:
        return MergedDocument.of(
            self,
            tape=str(self.tape),
            tapes=list(self.tapes),
            products={product: each.document() for product, each in sorted(self.products.items())},
        )

    def notes(self) -> list[str]:
        """Return the lines under the table: what each tape gave, and what could not be joined."""
        notes = []
        for product, found in sorted(self.products.items()):
            notes += [f"{product}: {line}" for line in origin_lines(found.origins, found.tally.rows)]
            if found.unproven:
                times = display.plural(found.unproven, "interruption")
                notes.append(
                    f"{product}: {times} where another recorder had a book that was not proven to be the same"
                )
            if found.clamped:
                rows = display.plural(found.clamped, "row")
                notes.append(f"{product}: {rows} of a clock that was behind got the time of the row before")
        return notes
