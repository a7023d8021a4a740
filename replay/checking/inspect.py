"""`inspect`: describe a tape without reading its frames."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from orderbook import display
from orderbook.document import Document
from orderbook.result import Result
from orderbook.schema import TIME
from orderbook.times import format_optional
from orderbook.trades import TradeReader, TradeTally, subscribes_to_trades
from orderbook.venues.base import Venue
from recorder.installed import tapes_title
from recorder.tape.format.executions import read_executions
from recorder.tape.overview import Overview, overview
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from replay.checking.interruptions import Interruption, InterruptionDocument, interruptions
from replay.checking.origins import OriginTotal, origin_lines, origin_totals
from replay.checking.verdicts import ConnectionVerdict, Verdict, judge, worst

INSPECTION_SCHEMA: Final = pa.schema(
    [
        pa.field("product", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("first_time", TIME),
        pa.field("last_time", TIME),
        pa.field("connections", pa.int64(), nullable=False),
        pa.field("interruptions", pa.int64(), nullable=False),
        pa.field("segments", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("verdict", pa.string()),
    ]
)
"""Columns of `Inspection.table`."""


class InspectedTrades(Document, frozen=True):
    """The trades of a product, read from its frames.

    Attributes:
        trades: number of trades, those of before a connection included.
        gaps: number of places at which trades are missing.
        malformed, repeated: number of frames that could not be read, and with trades that had come before.
    """

    trades: int
    gaps: int
    malformed: int
    repeated: int


class RemovedRows(Document, frozen=True):
    """The first rows of a product, which are in a store alone.

    Attributes:
        url: the tape in the store.
        rows: number of rows; those that are here begin with this seq.
        first_time: ISO time of the first of them.
        kept_from: ISO time from which all rows are here.
        removed: when they were removed last, ISO time.
    """

    url: str
    rows: int
    first_time: str
    kept_from: str
    removed: str


class InspectedProduct(Document, frozen=True):
    """What a tape holds of a product.

    Attributes:
        bytes: size of its sealed segments and its journal.
        sealed_bytes: size of its sealed segments.
        journal_rows, journal_bytes: rows that are not sealed yet, and their size.
        torn_bytes: bytes at the ends of journals that are no complete record.
        damaged: journals in which a record went bad before intact ones, and the copies kept of such.
        verdicts: the verdict on each connection.
        interruptions: the times between connections.
        without_trades: number of connections that did not subscribe to trades; null if no row says what was
            subscribed to, as in an import.
        trades: the trades; null if the frames were not read for them.
        strategies: names of the strategies that traded on paper while it was recorded.
        origins: of a merged tape, what each recorder gave to it.
        made_from: numbers of connections whose frames are not those that were received, by what they were
            made from.
        removed: which of its first rows were removed here, and in which store they are; null if all are here.
    """

    rows: int
    connections: int
    first_time: str | None
    last_time: str | None
    segments: int
    bytes: int
    sealed_bytes: int
    journal_rows: int
    journal_bytes: int
    torn_bytes: int
    damaged: list[str]
    verdicts: tuple[ConnectionVerdict, ...]
    interruptions: list[InterruptionDocument]
    without_trades: int | None
    trades: InspectedTrades | None
    strategies: list[str]
    origins: list[OriginTotal]
    made_from: dict[str, int]
    removed: RemovedRows | None


@dataclass(frozen=True, slots=True)
class ProductInspection:
    """One product of a tape.

    Attributes:
        without_trades: number of connections that did not subscribe to trades; None if no row says so.
        trades: counts of the trades, if the frames were read for them.
        strategies: names of the strategies that traded on paper while it was recorded.
        origins: of a merged tape, what each recorder gave to it.
        made_from: numbers of connections whose frames were made from something else, by what that was.
    """

    overview: Overview
    interruptions: tuple[Interruption, ...]
    verdicts: tuple[ConnectionVerdict, ...]
    without_trades: int | None
    trades: TradeTally | None
    strategies: tuple[str, ...]
    origins: tuple[OriginTotal, ...]
    made_from: Mapping[str, int]

    @property
    def connections(self) -> int:
        """Number of connections."""
        return len(self.overview.connections)

    def origin_lines(self) -> Iterator[str]:
        """Yield what each recorder gave to a merged tape."""
        return origin_lines(self.origins, self.overview.rows)

    def document(self) -> InspectedProduct:
        """Return the JSON form."""
        found = self.overview
        return InspectedProduct.of(
            found,
            connections=self.connections,
            first_time=format_optional(found.first_time),
            last_time=format_optional(found.last_time),
            bytes=found.sealed_bytes + found.journal_bytes,
            damaged=[str(path) for path in found.damaged],
            verdicts=self.verdicts,
            interruptions=[each.document() for each in self.interruptions],
            without_trades=self.without_trades,
            trades=None if self.trades is None else InspectedTrades.of(self.trades),
            strategies=list(self.strategies),
            origins=list(self.origins),
            made_from=dict(self.made_from),
            removed=None if found.removed is None else RemovedRows.of(found.removed),
        )


class InspectionDocument(Document, frozen=True):
    """The JSON form of `Inspection`.

    Attributes:
        tape: directory of the tape.
        format: version of the tape format.
        feed: name of its venue.
        synthetic: whether a synthetic exchange sent the frames: no price was ever quoted.
        created, software: when the tape was created (ISO time), and by which program.
        unfinished: captures whose import began and has not ended: their last rows are missing.
        products: what the tape holds of each product.
    """

    tape: str
    format: int
    feed: str
    synthetic: bool
    created: str
    software: str
    unfinished: tuple[str, ...]
    products: dict[str, InspectedProduct]


@dataclass(frozen=True, slots=True, repr=False)
class Inspection(Result):
    """What a tape holds.

    Attributes:
        tape: the tape.
        products: what the tape holds of each product.
    """

    tape: Tape
    products: dict[str, ProductInspection]

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict on any connection; None if there is no connection."""
        return worst([each.verdict for found in self.products.values() for each in found.verdicts])

    def summary(self) -> str:
        """Return one line: the tape, its products, their span, rows and verdict."""
        views = [found.overview for found in self.products.values()]
        span = display.span(
            min((each.first_time for each in views if each.first_time is not None), default=None),
            max((each.last_time for each in views if each.last_time is not None), default=None),
        )
        rows = display.plural(sum(each.rows for each in views), "row")
        products = display.products_title(self.products)
        verdict = display.verdict(self.verdict or "empty")
        return f"{tapes_title(self.tape.path)} {products}; {span}; {rows}; {verdict}"

    def table(self) -> pa.Table:
        """Return a row for each product."""
        return pa.Table.from_pylist(
            [
                {
                    "product": product,
                    "rows": found.overview.rows,
                    "first_time": found.overview.first_time,
                    "last_time": found.overview.last_time,
                    "connections": found.connections,
                    "interruptions": len(found.interruptions),
                    "segments": found.overview.segments,
                    "bytes": found.overview.sealed_bytes + found.overview.journal_bytes,
                    "verdict": worst([each.verdict for each in found.verdicts]),
                }
                for product, found in sorted(self.products.items())
            ],
            INSPECTION_SCHEMA,
        )

    def _document(self) -> InspectionDocument:
        return InspectionDocument.of(
            self.tape.manifest,
            tape=str(self.tape.path),
            products={product: found.document() for product, found in sorted(self.products.items())},
        )


def inspect(tape: TapeLike, *, trades: bool = False) -> Inspection:
    """Describe a tape, also while it is being recorded; see `overview` for what is read.

    Args:
        tape: the tape, or its path.
        trades: read the frames, too, to count the trades.

    Raises:
        TapeError: if the tape cannot be read.
    """
    opened = Tape.open(tape)
    products = {product: inspect_product(opened, product, trades=trades) for product in opened.select(())}
    return Inspection(opened, products)


def inspect_product(tape: Tape, product: str, *, trades: bool = False) -> ProductInspection:
    """Describe one product of a tape.

    Raises:
        TapeError: if the tape cannot be read.
    """
    stored = tape.product(product)
    found = overview(stored)
    subscribed = [each.opened.subscribe for each in found.connections if each.opened.subscribe]
    without = sum(not subscribes_to_trades(tape.venue, messages) for messages in subscribed)
    strategies = dict.fromkeys(each.session.strategy for each in read_executions(stored.directory))
    return ProductInspection(
        found,
        tuple(interruptions(found.connections, found.last_time)),
        tuple(judge(tape.venue, found.connections)),
        without if subscribed else None,
        _trades_of(stored, tape.venue) if trades else None,
        tuple(strategies),
        origin_totals(each.opened.origins for each in found.connections),
        Counter(each.opened.made_from for each in found.connections if each.opened.made_from),
    )


def _trades_of(stored: ProductTape, venue: Venue) -> TradeTally:
    reader, tally = TradeReader(stored.product, venue), TradeTally()
    for rows in stored.batches():
        tally.add(reader.of_rows(rows))
    return tally
