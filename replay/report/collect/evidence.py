"""Everything that a report shows beside the numbers of its thresholds, collected step by step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Step
from orderbook.episodes import intervals
from replay.comparing.sweep.order_statistics import Floats, Ints
from replay.report.collect.episodes import LongestEpisodes, Quotes
from replay.report.collect.gaps import Gaps
from replay.report.collect.heatmap import DepthHistory
from replay.report.collect.hours import HourShares
from replay.report.collect.market_trades import LargestTrades
from replay.report.collect.quotes import QuoteBand
from replay.report.collect.reduction import MinMaxReduction
from replay.report.collect.wide_times import WideTimes

T = TypeVar("T")

_MIN_ROWS: Final = 2048
"""Rows processed together: the batches of a paced replay hold one row each."""
_MAX_HOUR_THRESHOLDS: Final = 40


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a report keeps and shows of each product.

    Attributes:
        buckets: number of time buckets of the spread, two points each.
        episodes: number of the longest episodes, each with up to 160 quotes.
        gaps: number of intervals without a book.
        thresholds: number of rows of a table, and of points of a curve.
        trades: moments with trades of others.
        columns: of the depth over time.
        cells: of the same.
        levels: of each side of the last book.
    """

    buckets: int = 1500
    episodes: int = 40
    gaps: int = 200
    thresholds: int = 200
    trades: int = 400
    columns: int = 300
    cells: int = 30_000
    levels: int = 60

    def shared(self, products: int) -> "Limits":
        """Return the limits for each of several products of one file: together as much as two."""
        part = 2 / max(products, 2)
        return Limits(
            max(round(self.buckets * part), 50),
            max(round(self.episodes * part), 2),
            max(round(self.gaps * part), 4),
            max(round(self.thresholds * part), 8),
            *(max(round(each * part), 12) for each in (self.trades, self.columns, self.cells, self.levels)),
        )


class Evidence:
    """What a report shows of one product beside the numbers of its thresholds.

    Args:
        thresholds: all thresholds compared, ascending.
        detail: the threshold whose episodes are shown.
        limits: how much is kept.
        span: first and last time, as far as they are known, in nanoseconds since 1970.

    Attributes:
        limits: as passed.
        trades, depth: trades of others and the book over time, if the steps have `market`.
        spreads: relative spread over time.
        quotes: the best prices over time.
        gaps: intervals without a book.
        hours: time above by hour of the day, for 40 thresholds at most.
        episodes: the longest episodes above `detail`.
        wide: when the spread was above `detail`.
    """

    def __init__(
        self, thresholds: Sequence[float], detail: float, limits: Limits, span: tuple[int, int] = (0, 0)
    ) -> None:
        self.limits = limits
        self.trades = LargestTrades(limits.trades)
        self.depth = DepthHistory(*span, limits.columns)
        self.spreads = MinMaxReduction(limits.buckets)
        self.quotes = QuoteBand(limits.buckets // 2)
        self.gaps = Gaps(limits.gaps)
        self.hours = HourShares(evenly_chosen(thresholds, _MAX_HOUR_THRESHOLDS))
        self.episodes = LongestEpisodes(detail, limits.episodes)
        self.wide = WideTimes(detail, limits.columns)
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self._last: tuple[Ints, Floats, Ints] = (np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))

    def load(self, levels: Levels) -> None:
        """Take the book that is known before the first row."""
        self.depth.load(levels)

    def prepare(self, step: Step) -> None:
        """Take rows that build the book before the part to report."""
        if step.market is not None:
            self.depth.add(step.market)

    def add(self, step: Step) -> None:
        """Add one step of the product, in seq order. O(rows log thresholds)."""
        if step.summaries.num_rows:
            self._pending.append(step.summaries)
            self._rows += step.summaries.num_rows
        if self._rows >= _MIN_ROWS:
            self.flush()
        if step.market is not None:
            self.trades.add(step.market)
            self.depth.add(step.market)

    def flush(self) -> None:
        """Process the pending rows."""
        if not self._pending:
            return
        batch = pa.concat_batches(self._pending)
        self._pending, self._rows = [], 0
        times = batch.column("recv_time").view(pa.int64()).to_numpy()
        connections = batch.column("connection").to_numpy()
        bids, asks, spreads = (
            batch.column(name).to_numpy(zero_copy_only=False)  # null becomes NaN
            for name in ("bid_price", "ask_price", "relative_spread")
        )
        self.spreads.add(times, spreads)
        self.quotes.add(times, bids, asks)
        self.gaps.add(times, connections)
        self.episodes.add(Quotes(times, bids, asks), spreads, connections)
        times, spreads, connections = (
            np.concatenate([before, now])
            for before, now in zip(self._last, (times, spreads, connections), strict=True)
        )
        opening, durations = intervals(times, connections)
        self.hours.add(times[opening], durations, spreads[opening])
        self.wide.add(times[opening], durations, spreads[opening])
        self._last = times[-1:], spreads[-1:], connections[-1:]


def _unknown(_product: str) -> tuple[int, int]:
    return 0, 0


class EvidenceCollector:
    """Collects the evidence of the products of one tape; call it with each product and step.

    Args:
        thresholds: all thresholds compared.
        detail: the threshold whose episodes are shown.
        limits: how much is kept.
        details: the same by product, of those that have another one.
        span_of: returns the first and the last time of a product, as far as they are known.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        detail: float,
        limits: Limits,
        details: Mapping[str, float] = MappingProxyType({}),
        span_of: Callable[[str], tuple[int, int]] = _unknown,
    ) -> None:
        self._span_of = span_of
        self._thresholds = thresholds
        self._detail, self._details = detail, dict(details)
        self._limits = limits
        self._products: dict[str, Evidence] = {}
        self._seen = set[str]()

    def load(self, product: str, levels: Levels) -> None:
        """Take the book of a product that is known before the first row."""
        self._of(product).load(levels)

    def prepare(self, product: str, step: Step) -> None:
        """Take rows that build the book before the part to report."""
        self._of(product).prepare(step)

    def __call__(self, product: str, step: Step) -> None:
        """Add a step of a product, in seq order."""
        self._of(product).add(step)
        self._seen.add(product)

    def begin(self, product: str) -> Evidence:
        """Return the evidence of a product, empty; for a worker elsewhere, whose steps are not shown here."""
        detail = self._details.get(product, self._detail)
        return Evidence(sorted({*self._thresholds, detail}), detail, self._limits, self._span_of(product))

    def put(self, product: str, evidence: Evidence) -> None:
        """Take the evidence of a product that came from elsewhere."""
        self._products[product] = evidence
        self._seen.add(product)

    def finish(self) -> dict[str, Evidence]:
        """Return the evidence of each product that has a row."""
        found = {product: each for product, each in self._products.items() if product in self._seen}
        for evidence in found.values():
            evidence.flush()
            evidence.depth.finish()
        return found

    def _of(self, product: str) -> Evidence:
        if product not in self._products:
            self._products[product] = self.begin(product)
        return self._products[product]


def evenly_chosen(values: Sequence[T], limit: int) -> list[T]:
    """Return at most `limit` of the values, evenly chosen, the first and the last among them.

    >>> evenly_chosen([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= limit:
        return list(values)
    places = np.unique(np.linspace(0, len(values) - 1, limit).round().astype(int))
    return [values[place] for place in places.tolist()]
