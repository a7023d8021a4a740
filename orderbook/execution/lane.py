"""A lane: one strategy with its orders and its money. The order of events is decided here.

Simulated time moves with rows only. What is due at a time happens after all rows up to that time and before
the next: of every row, `advance` does what was due before it, on the market as it was; then the market
applies the row, and `see` does what follows from it. In one row the orders come first, then the reports that
are due, then the strategy is woken once. So the tape alone decides, live as in a replay.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from orderbook.events import Trade
from orderbook.execution.account import Account
from orderbook.execution.breaks import Broken
from orderbook.execution.codes import Code
from orderbook.execution.digest import ExecutionDigest
from orderbook.execution.events import Event, order_event
from orderbook.execution.exchange import LATE, Exchange
from orderbook.execution.kept import Kept
from orderbook.execution.latency import Draws
from orderbook.execution.market import Market
from orderbook.execution.market_view import MarketView
from orderbook.execution.markouts import Markouts
from orderbook.execution.orders import CancelRequest, NewRequest, Order, Request
from orderbook.execution.results import FillRow, LaneRows, LogRow
from orderbook.execution.rows import BookRow, BreakRow, TapeRow, TradeRow
from orderbook.execution.schedule import Arrival, LateEnd, Report, Schedule, Timer
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable
from orderbook.execution.totals import LaneTotals
from orderbook.execution.trader import ENDLESS, MOST_ACTIONS, Trader, call_strategy
from orderbook.execution.wakes import NOTHING, WakeRules, Wakes, Why
from orderbook.execution.watched import Watched
from orderbook.strategy import StrategyError

_AT_ONCE: Final = -(2**63)


class Lane:
    """One strategy on one product under one setting and one queue model.

    Args:
        product: the product, for random latencies and messages.
        market: what the tape shows; shared by all lanes.
        trader: the strategy.
        rules: of the product.
        settings: of the lane.
        name: what errors call it.

    Attributes:
        account: its money, as at the exchange.
        exchange: its orders.
        digest: the execution digest so far.
        kept: its results so far.
        requests: number of requests so far.
        listen: called with each event of its orders and each row of its log, as they happen.
    """

    def __init__(
        self,
        product: str,
        market: Market,
        trader: Trader,
        *,
        rules: ProductRules | None = None,
        settings: LaneSettings | None = None,
        name: str = "strategy",
    ) -> None:
        rules, settings = rules or ProductRules(), settings or LaneSettings()
        self.account = Account(settings.cash, settings.base)
        self.digest = ExecutionDigest()
        self.kept = Kept(market, self.account, settings)
        rested = self.kept.rows.resting
        self.exchange = Exchange(market, rules, settings, self.account, rested, self._happens)
        self.requests = 0
        self.listen: Callable[[Event | LogRow], None] | None = None
        self._market = market
        self._trader = trader
        self._settings = settings
        self._name = f"{name}, {product}"
        self._draws = Draws(settings.seed, product)
        self._schedule = Schedule()
        self._markouts = Markouts(market, settings.markouts, self.kept.fill)
        self._wakes = WakeRules(trader.wakes)
        self._view = MarketView(market, self, rules.lot, settings.queue)
        self._view.hold(self.account.cash, self.account.position)
        self._now = 0
        self._last_arrival = 0
        self._fills = 0
        self._has_begun = False
        self._acted = self._at_one_moment = 0

    # Who is asked about a row: see `lanes`

    @property
    def resting(self) -> int:
        """How many orders rest."""
        return len(self.exchange.resting)

    @property
    def broken(self) -> Broken:
        """What interruptions did."""
        return self.exchange.broken

    @property
    def rows(self) -> LaneRows:
        """Results that are whole; the caller takes them away."""
        return self.kept.rows

    @property
    def totals(self) -> LaneTotals:
        """Its sums so far."""
        return self.kept.totals

    @property
    def wakes(self) -> Wakes:
        """What wakes its strategy."""
        return self._trader.wakes

    @property
    def next_due(self) -> int | None:
        """When it has something to do next, None if nothing is scheduled; it begins with the first row."""
        return self._schedule.next_time if self._has_begun else _AT_ONCE

    @property
    def next_markout(self) -> int | None:
        """The time after which the next book row tells a mark-out."""
        return self._markouts.next_due

    @property
    def watched(self) -> Watched:
        """What of the book and of the trades concerns it."""
        watched = self.exchange.watched
        return watched if self.account.is_valued else watched._replace(waits_for_book=True)

    # Rows

    def advance(self, time: int) -> None:
        """Do what is due before a row of this time; the market is still as the row before left it."""
        if not self._has_begun:
            self._begin(time)
        while (due := self._schedule.next_time) is not None and due < time:
            self._act()

    def see(self, row: TapeRow, why: Why) -> None:
        """Take a row that the market has applied; `why` is what of it wakes the strategy."""
        self._now = row.time
        trades: Sequence[Trade] = ()
        if isinstance(row, BookRow):
            self._see_book(row)
        elif isinstance(row, TradeRow):
            trades = row.new_trades
            self.exchange.see_trades(row)
        elif isinstance(row, BreakRow):
            self._see_break(row)
        reports = self._schedule.take_reports(row.time)
        if reports or why:
            self._tell(reports, trades, why)

    def wake(self, time: int, trades: Sequence[Trade], why: Why) -> bool:
        """Wake the strategy for a row that does nothing else to it; return whether it scheduled anything."""
        scheduled = self._schedule.scheduled
        self._now = time
        self._wake((), trades, why)
        return self._schedule.scheduled != scheduled

    def finish(self) -> None:
        """The tape ends: resting orders end, and what is under way never arrives."""
        self._now = self._view.now = self._market.time
        if isinstance(self._trader, OrdersTable):
            self._trader.send_rest(self._view)
        self.exchange.finish(self._now)
        for action in self._schedule.rest():
            if isinstance(action, Arrival) and isinstance(action.request, NewRequest):
                order = action.request.order
                order.ended, order.end = self._now, Code.UNSENT
                self._happens(order_event(self._now, Code.UNSENT, order))
            elif isinstance(action, LateEnd):
                self._late_end(action.order)
        self._schedule = Schedule()
        self._markouts.end(self._market.touch.mid_twice, self._market.book_row)
        self.kept.sample(self._now, "end")

    def _see_book(self, row: BookRow) -> None:
        if not self.account.is_valued and (mid := self._market.touch.mid_twice) is not None:
            self.account.value_start(mid)
        if self._market.before.is_known:
            self._markouts.see_book(row.time)
        self.exchange.see_book(row)

    def _see_break(self, row: BreakRow) -> None:
        before = self._market.before
        if before.is_known:
            self.kept.sample(row.time, "break")
            self._markouts.end(before.touch.mid_twice, before.book_row)
        self.exchange.interrupt(row.time)

    # What is due

    def _act(self) -> None:
        """Do the next action at its own time."""
        time, action = self._schedule.pop()
        self._at_one_moment = self._at_one_moment + 1 if time == self._acted else 0
        self._acted = time
        if self._at_one_moment > MOST_ACTIONS and not isinstance(self._trader, OrdersTable):
            raise StrategyError(f"{self._place()}: {ENDLESS}")
        self._now = time
        if isinstance(action, Arrival):
            self._arrive(action.request)
        elif isinstance(action, Report):
            self._tell([action.event, *self._schedule.pop_reports(time)], (), NOTHING)
        elif isinstance(action, Timer):
            if action.every:
                self._schedule.push(time + action.every, action)
            self._tell((), (), Why.TIMER)
        else:
            self._late_end(action.order)

    def _arrive(self, request: Request) -> None:
        if isinstance(request, NewRequest):
            self.exchange.arrive(self._now, request.order)
        elif isinstance(request, CancelRequest):
            self.exchange.cancel(self._now, request.number)
        else:
            self.exchange.amend(self._now, request)

    def _late_end(self, order: Order) -> None:
        self.exchange.close(order)
        if order.end is Code.CANCELLED:
            self.kept.order(order)

    def _tell(self, reports: Sequence[Event], trades: Sequence[Trade], why: Why) -> None:
        """Deliver reports, and wake the strategy if it asked for this moment."""
        if reports:
            self._view.hear(reports)
            are_fills = any(event.fill is not None for event in reports)
            why |= self._wakes.of_reports(are_fills=are_fills)
        if why:
            self._wake(reports, trades, why)

    def _wake(self, reports: Sequence[Event], trades: Sequence[Trade], why: Why) -> None:
        view = self._view
        view.now, view.why, view.trades, view.reports = self._now, why, trades, reports
        call_strategy(self._trader, view, self._place)

    def _place(self) -> str:
        return f"{self._name}, row {self._market.seq}"

    # What the strategy asks for, as its `Desk`

    def send(self, request: Request) -> None:
        """Send a request; it never overtakes the one before."""
        self.requests += 1
        delay = self._settings.latency.delay(self._draws.at(self.requests), self._market.excess_lag)
        self._last_arrival = max(self._now + delay, self._last_arrival)
        self._schedule.push(self._last_arrival, Arrival(request))

    def wake_at(self, time: int) -> None:
        """Wake the strategy at a time."""
        self._schedule.push(max(time, self._now), Timer(0))

    def log(self, values: dict[str, Any]) -> None:
        """Keep a row of the strategy's log."""
        row = LogRow(self._now, self._market.seq, values)
        self.kept.rows.log.append(row)
        if self.listen is not None:
            self.listen(row)

    def ahead_of(self, order: Order) -> int | None:
        """Return what is ahead of a resting order by the lane's queue model."""
        if order.place is None or order.ended is not None:
            return None
        order.place.settle_old(self._now)
        return getattr(order.place.ahead, self._settings.queue)  # type: ignore[no-any-return]

    # What happens, and what it is worth

    def _happens(self, event: Event) -> None:
        """Take an event of the exchange: digest, money, results, and the report that is due."""
        self.digest.add(event)
        self._schedule.push(event.time + self._settings.report, Report(event))
        order = event.order
        if event.fill is not None and event.side is not None:
            self.kept.sample_grid(event.time)
            self.account.fill(event.side, event.price, event.size, event.fill.fee)
            how = (event.number, event.time, event.side, event.price, event.size, event.fill)
            self._markouts.add(FillRow(self._fills, *how, self._market.touch.mid_twice))
            self._fills += 1
            self.kept.count_fill(is_maker=event.fill.is_maker)
            self.kept.sample(event.time, "fill")
        elif order is not None and event.code.ends_order:
            if event.code is Code.CANCELLED and order.late_book_time is not None:
                self._schedule.push(event.time + LATE, LateEnd(order))
            else:
                self.kept.order(order)
        elif event.code.refuses_amend:
            self.kept.count_refused_amend(event.code)
        if self.listen is not None:
            self.listen(event)

    def _begin(self, time: int) -> None:
        """Begin with the first row: value what is held, and schedule timers."""
        self._has_begun = True
        if self._market.touch.mid_twice is not None:
            self.account.value_start(self._market.touch.mid_twice)
        if isinstance(self._trader, OrdersTable) and self._trader.first_wake is not None:
            self._schedule.push(self._trader.first_wake, Timer(0))
        if self._wakes.every:
            self._schedule.push(-(-time // self._wakes.every) * self._wakes.every, Timer(self._wakes.every))
