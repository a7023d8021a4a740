"""A strategy in Python behind the compiled exchange: what it sees, and what it asks for."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from orderbook.events import Trade
from orderbook.execution.codes import CODES, Code, QueueModel
from orderbook.execution.compiled.harvest import FILLED_BY, SIDES
from orderbook.execution.compiled.layout import (
    AMEND,
    CANCEL,
    IOC,
    LIMIT,
    MARKET,
    MARKET_ORDER,
    NEW,
    SAME,
    TELL_AHEAD,
    TELL_SIZE,
    UNKNOWN,
    WAKE_AT,
    places_of,
)
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled.wide import joined
from orderbook.execution.events import Event, Fill
from orderbook.execution.market import Touch
from orderbook.execution.market_view import MarketView
from orderbook.execution.orders import CancelRequest, NewRequest, Order, Request
from orderbook.execution.results import LogRow
from orderbook.execution.settings import LaneSettings
from orderbook.execution.trader import Trader, call_strategy
from orderbook.execution.wakes import Why
from orderbook.venues.base import Side

_KINDS: Final = {"limit": LIMIT, "ioc": IOC, "market": MARKET_ORDER}
_WHYS: Final = tuple(Why(number) for number in range(128))
"""Made once: an enum takes longer than a wake."""


_SEQ, _IS_KNOWN, _BID, _BID_SIZE, _ASK, _ASK_SIZE, _TICK = places_of(
    MARKET, *("seq", "is_known", "bid", "bid_size", "ask", "ask_size", "tick")
)


class CompiledMarket:
    """The market as `MarketView` reads it, out of the memory of the kernel."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._words = memory.words

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return self._words[_SEQ]

    @property
    def is_known(self) -> bool:
        """Whether a book is known."""
        return self._words[_IS_KNOWN] != 0

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask."""
        return self._words[_BID] > self._words[_ASK] > 0

    @property
    def touch(self) -> Touch:
        """Best bid and best ask."""
        return Touch(self._words[_BID] or None, self._words[_ASK] or None)

    @property
    def relative_spread(self) -> float | None:
        """The spread as a fraction of the ask."""
        words = self._words
        return self._memory.relative_spread[0] if words[_BID] and words[_ASK] else None

    @property
    def tick(self) -> int | None:
        """The smallest step of prices."""
        return self._words[_TICK] or None

    @property
    def top(self) -> tuple[int | None, ...]:
        """The best prices and their sizes."""
        words = self._words
        bid, ask = words[_BID] or None, words[_ASK] or None
        return bid, words[_BID_SIZE] if bid else None, ask, words[_ASK_SIZE] if ask else None

    def size_at(self, side: Side, price: int) -> int:
        """Return the size that the book shows at a price."""
        return self._memory.ask(TELL_SIZE, SIDES.index(side), price)

    def levels(self, side: Side, depth: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield (price, size) of a side, best first."""
        return self._memory.levels(SIDES.index(side), depth)


class Desk:
    """The strategy of one lane and its requests.

    Args:
        trader: the strategy.
        lot: smallest step of sizes.
        settings: of the lane.
        log: where its rows of the log go.
        name: what errors call it.

    Attributes:
        orders: those of which something may still be reported, by number.
    """

    def __init__(
        self,
        trader: Trader,
        lot: int,
        settings: LaneSettings,
        memory: Memory,
        log: Callable[[LogRow], None],
        name: str,
    ) -> None:
        self.orders: dict[int, Order] = {}
        self._trader = trader
        self._memory = memory
        self._market = CompiledMarket(memory)
        self._view = MarketView(self._market, self, lot, settings.queue)
        self._view.hold(settings.cash or 0, settings.base or 0)
        self._model: QueueModel = settings.queue
        self._log = log
        self._name = name
        self._requests: list[tuple[int, ...]] = []
        self._report = settings.report
        self._over: list[int] = []
        self._forgotten_at: deque[tuple[int, int]] = deque()

    def wake(
        self, now: int, why: int, trades: Sequence[Trade], reports: list[Event], heard_before: int
    ) -> None:
        """Wake the strategy, and hand what it asks for to the kernel.

        Args:
            now: the moment.
            why: what woke it.
            trades: those of the moment.
            reports: all since it was woken last.
            heard_before: how many of them are of moments before.

        Raises:
            StrategyError: if it raises.
        """
        view = self._view
        if reports:
            view.hear(reports)
        view.now, view.why, view.trades, view.reports = now, _WHYS[why], trades, reports[heard_before:]
        call_strategy(self._trader, view, self.place)
        self._memory.add_requests(self._requests)
        self._requests.clear()

    def place(self) -> str:
        """Return where the strategy is, for an error."""
        return f"{self._name}, row {self._market.seq}"

    # As the `Desk` of the view

    def send(self, request: Request) -> None:
        """Send a request."""
        if isinstance(request, NewRequest):
            order = request.order
            self.orders[order.number] = order
            side, kind = SIDES.index(order.side), _KINDS[order.kind]
            self._requests.append((NEW, side, kind, int(order.post_only), order.price, order.size))
        elif isinstance(request, CancelRequest):
            self._requests.append((CANCEL, request.number, 0, 0, SAME, SAME))
        else:
            price = SAME if request.price is None else request.price
            left = SAME if request.left is None else request.left
            self._requests.append((AMEND, request.number, 0, 0, price, left))

    def wake_at(self, time: int) -> None:
        """Wake the strategy at a time."""
        self._requests.append((WAKE_AT, 0, 0, 0, min(max(time, -(2**62)), 2**62), 0))

    def log(self, values: dict[str, Any]) -> None:
        """Keep a row of the strategy's log."""
        self._log(LogRow(self._view.now, self._market.seq, values))

    def ahead_of(self, order: Order) -> int | None:
        """Return what is ahead of a resting order by the lane's queue model."""
        answer = self._memory.ask(TELL_AHEAD, order.number)
        return None if answer == UNKNOWN else answer

    # What is heard

    def event_of(self, report: Any) -> Event:
        """Return a report as an event; its order goes on changing as it is reported."""
        code, number, price, size = (int(report[name]) for name in ("code", "number", "price", "size"))
        side = SIDES[report["side"] - 1] if report["side"] else None
        order = self.orders.get(number) if code != Code.TOO_LATE else None
        fill = None
        if code == Code.FILL:
            fill = Fill(
                FILLED_BY[report["by"]],
                bool(report["is_maker"]),
                price * size,
                joined(report["fee_high"], report["fee_low"]),
                *(int(report[name]) for name in ("seq", "connection", "ahead_back", "ahead_share")),
            )
        event = Event(int(report["time"]), CODES[code], number, side, price, size, fill, order)
        if order is not None:
            self._note(order, event)
        return event

    def _note(self, order: Order, event: Event) -> None:
        """Let the order that a strategy holds be as it is reported."""
        if event.fill is not None:
            order.filled[self._model] += event.size
        elif event.code is Code.RESTING:
            order.rested = event.time
        elif event.code is Code.AMENDED:
            order.price, order.size = event.price, order.done + event.size
            order.amends += 1
        elif event.code.ends_order:
            order.ended, order.end = event.time, event.code

    def name_of(self, number: int) -> str | None:
        """Return the name of an order that is over: nothing happens to it after this."""
        self._over.append(number)
        return self.orders[number].name

    def forget(self, now: int) -> None:
        """Forget orders that were over so long ago that everything of them has been reported by now."""
        while self._forgotten_at and self._forgotten_at[0][0] < now:
            del self.orders[self._forgotten_at.popleft()[1]]
        self._forgotten_at.extend((now + self._report, number) for number in self._over)
        self._over.clear()
