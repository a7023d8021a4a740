"""What a report keeps of a product that was traded: quotes, trades, depth, and its lanes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from orderbook.book import Levels
from orderbook.engine import Step
from orderbook.execution.codes import QueueModel
from replay.report.collect.gaps import Gaps
from replay.report.collect.heatmap import DepthHistory
from replay.report.collect.lanes import LaneEvidence, LanesEvidence
from replay.report.collect.market_trades import LargestTrades
from replay.report.collect.quotes import QuoteBand
from replay.simulation.lane_runs import LaneRun


@dataclass(frozen=True, slots=True)
class TradedLimits:
    """How much a report keeps of each product that was traded.

    Attributes:
        quotes: points of the best prices.
        trades: moments with trades of others.
        gaps: intervals without a book.
        columns: of the depth over time.
        cells: of the same.
        points: of the money of a lane.
        orders, fills: own ones of a lane.
        rested: prices at which these rested.
        levels: of each side of the last book.
    """

    quotes: int = 800
    trades: int = 400
    gaps: int = 200
    columns: int = 300
    cells: int = 30_000
    points: int = 400
    orders: int = 300
    fills: int = 600
    rested: int = 800
    levels: int = 60

    def shared(self, products: int) -> "TradedLimits":
        """Return the limits for each of several products of one file: together as much as two."""
        part = 2 / max(products, 2)
        return TradedLimits(**{name: max(round(value * part), 12) for name, value in asdict(self).items()})


class TradedProduct(LanesEvidence):
    """Watches a product and its lanes in a backtest; what it keeps does not grow with the tape.

    Args:
        start: the first time of the part to trade on, as far as it is known, in nanoseconds since 1970.
        end: the last time, likewise.
        limits: how much is kept.
        main: queue model whose lanes are drawn with their orders.

    Attributes:
        limits: as passed.
        quotes, gaps, trades, depth: what the tape shows.
        lanes: by setting and queue model, at the end of the tape.
    """

    def __init__(self, start: int, end: int, limits: TradedLimits, main: QueueModel) -> None:
        super().__init__(limits.points, limits.orders, limits.fills, limits.rested, end - start, main)
        self.limits = limits
        self.lanes: dict[tuple[int, QueueModel], LaneEvidence] = {}
        self.quotes = QuoteBand(limits.quotes)
        self.gaps = Gaps(limits.gaps)
        self.trades = LargestTrades(limits.trades)
        self.depth = DepthHistory(start, end, limits.columns)

    def load(self, levels: Levels) -> None:
        """Take the book that is known before the first row."""
        self.depth.load(levels)

    def prepare(self, step: Step) -> None:
        """Take rows that build the book before the part to trade on."""
        if step.market is not None:
            self.depth.add(step.market)

    def step(self, step: Step) -> None:
        """Take rows of the part to trade on. O(rows + changes)."""
        made = step.packed
        times, bids, asks = (made.rows[name].copy() for name in ("recv_time", "bid_price", "ask_price"))
        self.quotes.add(times, bids, asks)
        self.gaps.add(times, made.connection.astype(np.int64))
        if step.market is not None:
            self.trades.add(step.market)
            self.depth.add(step.market)

    def finish(self, runs: Sequence[LaneRun]) -> None:
        """Take the lanes as they are at the end of the tape."""
        self.depth.finish()
        self.lanes = {
            (run.setting, run.queue): LaneEvidence(
                self, number, run.queue, run.lane.account.start, run.lane.totals
            )
            for number, run in enumerate(runs)
        }
