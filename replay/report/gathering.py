"""What a report keeps of a pass, product by product: told of every step, like a progress bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from orderbook.engine import Step
from replay.order_statistics import Floats, Ints
from replay.report.episodes import LongestEpisodes, Quotes
from replay.report.gaps import Gaps
from replay.report.hours import HourShares
from replay.report.reduction import MinMaxReduction

T = TypeVar("T")

_MIN_ROWS: Final = 2048
"""Rows that are taken up at once: a paced replay's batches hold one each."""
_MAX_HOUR_THRESHOLDS: Final = 40


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of each product a report keeps and shows.

    Attributes:
        buckets: of the spread over time, two points each.
        episodes: the longest, each with up to 160 quotes.
        gaps: stretches without a book.
        thresholds: rows of a table, and points of a curve.
    """

    buckets: int = 1500
    episodes: int = 40
    gaps: int = 200
    thresholds: int = 200

    def shared(self, products: int) -> "Bounds":
        """Return the bounds where so many products share the file: as much as of two in all."""
        part = 2 / max(products, 2)
        return Bounds(
            max(round(self.buckets * part), 50),
            max(round(self.episodes * part), 2),
            max(round(self.gaps * part), 4),
            max(round(self.thresholds * part), 8),
        )


class Evidence:
    """What a report shows of one product beside the numbers of its thresholds.

    Args:
        thresholds: all that are compared, ascending.
        detail: the one of which episodes are shown.
        bounds: how much is kept.

    Attributes:
        bounds: as given.
        spreads: relative spread over time.
        gaps: what was not observed.
        hours: time above by hour of the day, of 40 thresholds at most.
        episodes: of `detail`.
    """

    def __init__(self, thresholds: Sequence[float], detail: float, bounds: Bounds) -> None:
        self.bounds = bounds
        self.spreads = MinMaxReduction(bounds.buckets)
        self.gaps = Gaps(bounds.gaps)
        self.hours = HourShares(spread_out(thresholds, _MAX_HOUR_THRESHOLDS))
        self.episodes = LongestEpisodes(detail, bounds.episodes)
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self._last: tuple[Ints, Floats, Ints] = (np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))

    def add(self, step: Step) -> None:
        """Take up one step of the product, in seq order. O(rows log thresholds)."""
        if step.summaries.num_rows:
            self._pending.append(step.summaries)
            self._rows += step.summaries.num_rows
        if self._rows >= _MIN_ROWS:
            self.settle()

    def settle(self) -> None:
        """Take up what waits."""
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
        self.gaps.add(times, connections)
        self.episodes.add(Quotes(times, bids, asks), spreads, connections)
        times, spreads, connections = (
            np.concatenate([before, now])
            for before, now in zip(self._last, (times, spreads, connections), strict=True)
        )
        goes_on = connections[1:] == connections[:-1]
        self.hours.add(times[:-1][goes_on], np.diff(times)[goes_on], spreads[:-1][goes_on])
        self._last = times[-1:], spreads[-1:], connections[-1:]


class Gathering:
    """The evidence of the products of one tape; call it with each product and step."""

    def __init__(self, thresholds: Sequence[float], detail: float, bounds: Bounds) -> None:
        self._thresholds = sorted({*thresholds, detail})
        self._detail = detail
        self._bounds = bounds
        self._products: dict[str, Evidence] = {}

    def __call__(self, product: str, step: Step) -> None:
        """Take up a step of a product, in seq order."""
        if product not in self._products:
            self._products[product] = Evidence(self._thresholds, self._detail, self._bounds)
        self._products[product].add(step)

    def finish(self) -> dict[str, Evidence]:
        """Return what there is of each product that has a row, in alphabetical order."""
        for evidence in self._products.values():
            evidence.settle()
        return dict(sorted(self._products.items()))


def spread_out(values: Sequence[T], most: int) -> list[T]:
    """Return at most so many of the values, evenly chosen, the first and the last among them.

    >>> spread_out([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= most:
        return list(values)
    places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
    return [values[place] for place in places.tolist()]
