"""What a lane keeps of what happens: rows that are whole, sums, and samples of its money."""

from typing import Final

from orderbook.execution.account import Account
from orderbook.execution.codes import Code
from orderbook.execution.market import Market, Touch
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow, LaneRows, SampleWhy, sample_of
from orderbook.execution.settings import LaneSettings
from orderbook.execution.totals import LaneTotals

_FOR_EVER: Final = 2**63 - 1


class Kept:
    """The results of one lane so far.

    Args:
        market: what the tape shows.
        account: the lane's money.
        settings: of the lane.

    Attributes:
        rows: results that are whole; the caller takes them away.
    """

    def __init__(self, market: Market, account: Account, settings: LaneSettings) -> None:
        self.rows = LaneRows()
        self._totals = LaneTotals(settings.equity_every, settings.markouts)
        self._last_over: Order | None = None
        self._market = market
        self._account = account
        self._grid = market.grid(settings.equity_every)
        self._sampled = self._grid.end

    @property
    def totals(self) -> LaneTotals:
        """The sums so far."""
        self._count_last()
        return self._totals

    def order(self, order: Order) -> None:
        """Keep an order that is over."""
        self.rows.orders.append(order)
        self._count_last()
        self._last_over = order

    def fill(self, fill: FillRow) -> None:
        """Keep a fill whose mark-outs are known."""
        self.rows.fills.append(fill)
        self._totals.add_fill(fill)

    def count_fill(self, *, is_maker: bool) -> None:
        """Count a fill as it happens."""
        if is_maker:
            self._totals.fills_maker += 1
        else:
            self._totals.fills_taker += 1

    def count_refused_amend(self, code: Code) -> None:
        """Count an amend that the exchange refused."""
        self._totals.refused_amends[code] += 1

    def sample_grid(self, before: int = _FOR_EVER) -> None:
        """Keep the samples of the grid before a time; since the last ones nothing has been filled."""
        for mark in self._grid.since(self._sampled, before):
            self._sampled += 1
            self._sample_at(mark.time, mark.connection, "grid", Touch(mark.bid, mark.ask))

    def sample(self, time: int, why: SampleWhy) -> None:
        """Keep a sample; a break is marked at the book that it ended."""
        market = self._market
        self.sample_grid(time)
        self._sample_at(time, market.connection, why, market.before.touch if why == "break" else market.touch)

    def _sample_at(self, time: int, connection: int, why: SampleWhy, touch: Touch) -> None:
        sample = sample_of(self._account, time, connection, why, touch)
        self.rows.samples.append(sample)
        self._totals.add_sample(sample, self._account.start)

    def _count_last(self) -> None:
        """Count the last order that is over; until the next one it may be filled under other models."""
        if self._last_over is not None:
            self._totals.add_order(self._last_over)
            self._last_over = None
