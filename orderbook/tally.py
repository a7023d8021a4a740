"""The tally of one product in a run: counts over its steps, and the digest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.anomalies import ANOMALY_KINDS, BREAKING_KINDS
from orderbook.digest import Digest
from orderbook.document import Document
from orderbook.engine import Step
from orderbook.episodes import ObservedTime
from orderbook.facts import Facts, add_lags, no_facts
from orderbook.schema import TIME, columns
from orderbook.summaries import PackedSummaries
from orderbook.thresholds import is_above
from orderbook.times import format_optional
from orderbook.trades import TradeTally

TALLY_SCHEMA: Final = pa.schema(
    [
        *columns(False, product=pa.string(), rows=pa.int64(), frames=pa.int64(), summaries=pa.int64()),
        *columns(False, signals=pa.int64(), connections=pa.int64(), anomalies=pa.int64()),
        *columns(False, absent_deletes=pa.int64(), noop_sets=pa.int64()),
        *columns(True, first_time=TIME, last_time=TIME),
        *columns(False, observed_s=pa.float64(), excluded_s=pa.float64(), digest=pa.string()),
    ]
)
"""Columns of `tally_table`."""


class TallyDocument(Document, frozen=True):
    """The counts and the digest of a product.

    Attributes:
        rows, frames, summaries, signals, connections: numbers of each.
        anomalies: number of each kind, including kinds that did not occur.
        absent_deletes, noop_sets: harmless irregularities of the feed.
        first_time, last_time: recv_time of the first and last row.
        observed_s, excluded_s: seconds in which a book was known, and in which none was.
        digest: digest of all summaries.
        trades: number of trades, history included; this and the following only if trades were requested.
        trade_gaps: number of places at which trades are missing.
        trades_late: number of trades that the book showed before they arrived.
        trades_malformed: number of trade frames that could not be read.
        trades_repeated: number of trade frames with a trade_id that their connection had shown before; it is
            counted once.
        trades_digest: digest of all trades.
    """

    rows: int
    frames: int
    summaries: int
    signals: int
    connections: int
    anomalies: dict[str, int]
    absent_deletes: int
    noop_sets: int
    first_time: str | None
    last_time: str | None
    observed_s: float
    excluded_s: float
    digest: str
    trades: int | UnsetType = UNSET
    trade_gaps: int | UnsetType = UNSET
    trades_late: int | UnsetType = UNSET
    trades_malformed: int | UnsetType = UNSET
    trades_repeated: int | UnsetType = UNSET
    trades_digest: str | UnsetType = UNSET


@dataclass(slots=True)
class Tally:
    """Counts over the steps of one product, added up in seq order.

    Attributes:
        threshold: signals are the summaries whose relative spread is above it (fraction of the ask).
        digest: of all summaries; pass one to continue an earlier run.
        rows, frames, summaries, signals: numbers of each.
        first_connection, last_connection: their numbers; connections are numbered one by one.
        anomalies: number of each kind, including kinds that did not occur.
        absent_deletes, noop_sets: harmless irregularities of the feed, see `OrderBookState`.
        first_time, last_time: recv_time of the first and last row, nanoseconds since 1970.
        facts: what the rows tell of their connections, since the last seal.
        trades: of the trades, if the steps hold them.
        counts_trades: whether to count the trades that steps hold; else they are for somebody else.
        is_piece: whether it is of a piece of a tape, see `piece`.
        observed: the observed time.
    """

    threshold: float
    digest: Digest = field(default_factory=Digest)
    rows: int = 0
    frames: int = 0
    summaries: int = 0
    signals: int = 0
    first_connection: int | None = None
    last_connection: int | None = None
    anomalies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANOMALY_KINDS, 0))
    absent_deletes: int = 0
    noop_sets: int = 0
    first_time: int | None = None
    last_time: int | None = None
    facts: Facts = field(default_factory=no_facts)
    trades: TradeTally | None = None
    counts_trades: bool = True
    is_piece: bool = False
    observed: ObservedTime = field(default_factory=ObservedTime)

    def add(self, step: Step) -> None:
        """Add one step. O(rows)."""
        span = step.span
        self.rows += span.rows
        self.frames += span.frames
        if span.rows:
            self.first_time = span.first_time if self.first_time is None else self.first_time
            self.last_time = span.last_time
            if self.first_connection is None:
                self.first_connection = span.first_connection
            self.last_connection = span.last_connection
        self.absent_deletes += step.absent_deletes
        self.noop_sets += step.noop_sets
        self.facts.numbered.update(step.numbered)
        if step.anomalies.num_rows:
            self._add_anomalies(step.anomalies)
        self._add_summaries(step.packed)
        if self.counts_trades and step.trades is not None:
            self.trades = self.trades or self._no_trades()
            self.trades.add(step.trades)

    def _no_trades(self) -> TradeTally:
        return TradeTally.piece() if self.is_piece else TradeTally()

    @classmethod
    def piece(cls, threshold: float) -> "Tally":
        """Return the tally of a piece of a tape, which others precede: they take it by `merge`."""
        return cls(threshold, Digest(None), is_piece=True)

    def merge(self, later: "Tally") -> None:
        """Add the tally of the piece that comes next. O(blocks of its digest + its trades)."""
        if later.rows:
            self.first_time = later.first_time if self.first_time is None else self.first_time
            self.last_time = later.last_time
            if self.first_connection is None:
                self.first_connection = later.first_connection
            self.last_connection = later.last_connection
        for name in ("rows", "frames", "summaries", "signals", "absent_deletes", "noop_sets"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for kind, number in later.anomalies.items():
            self.anomalies[kind] += number
        self.facts.add(later.facts)
        self.digest.merge(later.digest)
        self.observed.merge(later.observed)
        if later.trades is not None:
            self.trades = self.trades or self._no_trades()
            self.trades.merge(later.trades)

    def _add_anomalies(self, anomalies: pa.RecordBatch) -> None:
        kinds, connections = (anomalies.column(name).to_pylist() for name in ("kind", "connection"))
        for kind, connection in zip(kinds, connections, strict=True):
            self.anomalies[kind] += 1
            if kind in BREAKING_KINDS:
                counts = self.facts.faults.setdefault(connection, {})
                counts[kind] = counts.get(kind, 0) + 1

    def take_facts(self) -> Facts:
        """Return `facts` since the last call, for a segment, and begin anew."""
        taken, self.facts = self.facts, no_facts()
        return taken

    def _add_summaries(self, summaries: PackedSummaries) -> None:
        rows, connection = summaries.rows, summaries.connection
        if not len(rows):
            return
        self.summaries += len(rows)
        self.signals += int(np.count_nonzero(is_above(summaries.relative_spread(), self.threshold)))
        self.digest.add(rows)
        recv_time = rows["recv_time"]
        self.observed.add(recv_time, connection)
        add_lags(self.facts.lags, recv_time, rows["exchange_time"], connection)

    @property
    def connections(self) -> int:
        """Number of connections."""
        if self.first_connection is None or self.last_connection is None:
            return 0
        return self.last_connection - self.first_connection + 1

    @property
    def span_ns(self) -> int:
        """Time from the first row to the last, in nanoseconds."""
        return (self.last_time or 0) - (self.first_time or 0)

    @property
    def observed_ns(self) -> int:
        """The observed time in nanoseconds, see `orderbook.episodes`."""
        return self.observed.ns

    @property
    def last_book(self) -> tuple[int, int] | None:
        """Time and connection of the last summary, after which nothing was observed; None without one."""
        return self.observed.last

    @property
    def excluded_ns(self) -> int:
        """The part of the span that is not observed, in nanoseconds: no book was known."""
        return self.span_ns - self.observed_ns

    def document(self) -> TallyDocument:
        """Return the counts for JSON."""
        trades = self.trades
        return TallyDocument.of(
            self,
            first_time=format_optional(self.first_time),
            last_time=format_optional(self.last_time),
            observed_s=self.observed_ns / 1e9,
            excluded_s=self.excluded_ns / 1e9,
            digest=self.digest.hexdigest(),
            trades=UNSET if trades is None else trades.trades,
            trade_gaps=UNSET if trades is None else trades.gaps,
            trades_late=UNSET if trades is None or trades.late is None else trades.late,
            trades_malformed=UNSET if trades is None else trades.malformed,
            trades_repeated=UNSET if trades is None else trades.repeated,
            trades_digest=UNSET if trades is None else trades.digest.hexdigest(),
        )


def tally_documents(tallies: Mapping[str, Tally]) -> dict[str, TallyDocument]:
    """Return the counts for JSON by product, sorted."""
    return {product: tally.document() for product, tally in sorted(tallies.items())}


def products_with_rows(tallies: Mapping[str, Tally]) -> dict[str, str]:
    """Return the digests of all products that have a row, for the digest of the run."""
    return {product: tally.digest.hexdigest() for product, tally in tallies.items() if tally.rows}


def tally_table(tallies: Mapping[str, Tally]) -> pa.Table:
    """Return the counts as a table with a row for each product."""
    rows = [
        {
            **msgspec.structs.asdict(tally.document()),
            "product": product,
            "anomalies": sum(tally.anomalies.values()),
            "first_time": tally.first_time,
            "last_time": tally.last_time,
        }
        for product, tally in sorted(tallies.items())
    ]
    return pa.Table.from_pylist(rows, TALLY_SCHEMA)
