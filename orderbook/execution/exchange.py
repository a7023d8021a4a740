"""The simulated exchange of one lane: what happens to its orders, by request and by row.

- An order that arrives is refused (`arrivals.Gate`), or takes what the opposite levels offer up to its limit;
  what a limit order has left rests at the back of its level.
- A trade of others fills resting orders at its price or better, best price first: what is left of it after
  those ahead of each (`queue.QueuePlace`), at the order's own price, and never more than its size in all.
- A book whose opposite best is at or beyond a resting order would have met it: it gives what it offers, once.
- A cancelled order still meets, for a second, trades that had happened before its cancel and are told late.
- An interruption ends resting orders, because nobody knows what became of them.

Each order is followed under all queue models; that of the lane decides what fills. Every method is one moment
of simulated time, and what happens is told to `emit`, in order.
"""

from collections.abc import Callable
from typing import Final

from orderbook.events import Trade
from orderbook.execution.arrivals import Funds, Gate, Proposal
from orderbook.execution.breaks import BrokenOrders
from orderbook.execution.codes import OTHER_SIDE, Code, FilledBy
from orderbook.execution.events import Event, Fill, order_event
from orderbook.execution.market import Market
from orderbook.execution.numbers import fee_of, size_units
from orderbook.execution.orders import AmendRequest, Order, by_priority
from orderbook.execution.queue import Ahead, QueuePlace
from orderbook.execution.resting import RestingRows
from orderbook.execution.rows import BookRow, TradeRow
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.taking import Taken
from orderbook.execution.watched import NOTHING_WATCHED, Watched, watched_by
from orderbook.times import NS

LATE: Final = NS
"""For how long a cancelled order meets trades that happened before its cancel."""

_NOBODY: Final = Ahead(0, 0, 0)


class Exchange:
    """The orders of one lane.

    Attributes:
        resting: the orders that rest, in the order of acceptance.
        late: cancelled orders that trades of before their cancel may still fill.
        broken: what interruptions did.
    """

    def __init__(
        self,
        market: Market,
        rules: ProductRules,
        settings: LaneSettings,
        funds: Funds,
        rested: RestingRows,
        emit: Callable[[Event], None],
    ) -> None:
        self.resting: list[Order] = []
        self.late: list[Order] = []
        self.broken = BrokenOrders()
        self._market = market
        self._settings = settings
        self._rested = rested
        self._emit = emit
        self._taken = Taken(market, forgets=settings.impact == "none")
        self._gate = Gate(market, rules, settings.fees, self._taken, funds)
        self._accepted = 0

    @property
    def watched(self) -> Watched:
        """What of a row concerns the orders. O(orders and levels)."""
        if not (self.resting or self.late or self._taken.levels):
            return NOTHING_WATCHED
        return watched_by(self.resting, self.late, self._taken.levels)

    # Requests

    def arrive(self, now: int, order: Order) -> None:
        """A new order arrives."""
        order.arrived = now
        refusal, limit = self._gate.judge(_proposal(order, order.price, order.size), self.resting)
        if refusal is not None:
            self._end(now, order, refusal)
        else:
            self._enter(now, order, limit)

    def cancel(self, now: int, number: int) -> None:
        """A cancel arrives."""
        order = self._open(number)
        if order is None:
            self._too_late(now, number)
            return
        self.resting.remove(order)
        if self._market.book_time is not None and order.place is not None:
            order.late_book_time = self._market.book_time
            self.late.append(order)
        self._end(now, order, Code.CANCELLED)

    def amend(self, now: int, request: AmendRequest) -> None:
        """An amend arrives: in place if the price is the same and no more is left, else at the back."""
        order = self._open(request.number)
        if order is None:
            self._too_late(now, request.number)
            return
        price = order.price if request.price is None else request.price
        left = order.left if request.left is None else request.left
        proposal = _proposal(order, price, left)
        stays = price == order.price and left <= order.left
        refusal, limit = self._gate.judge(proposal, [each for each in self.resting if each is not order])
        if stays and refusal not in {Code.NO_BOOK, Code.INCREMENT}:
            refusal = None
        if refusal is not None:
            self._tell(now, refusal.of_amend(), order)
            return
        self._rested.end(now, order)
        order.amends += 1
        order.size, order.price = order.done + left, price
        self._tell(now, Code.AMENDED, order)
        if stays:
            self._rested.begin(now, order)
        else:
            self.resting.remove(order)
            self._enter(now, order, limit)

    def close(self, order: Order) -> None:
        """No late trade fills a cancelled order any more."""
        if order in self.late:
            self.late.remove(order)

    def finish(self, now: int) -> None:
        """The tape ends."""
        self.late.clear()
        while self.resting:
            self._end(now, self.resting.pop(0), Code.END)

    # Rows

    def see_book(self, row: BookRow) -> None:
        """A book frame, which the market shows already."""
        market, has_snapshot = self._market, row.has_snapshot
        self._taken.see_book(has_snapshot=has_snapshot)
        if not market.before.is_known:
            self.broken.see_snapshot(market)
            self._take_up_kept(row.time)
        else:
            for order in self.resting:
                if order.place is not None:
                    size = market.size_at(order.side, order.price)
                    if has_snapshot:
                        order.place.see_snapshot(row.time, size)
                    else:
                        order.place.see_book(row.time, size, market.book_time)
        if self.resting and not market.is_crossed:
            self._cross(row.time)

    def see_trades(self, row: TradeRow) -> None:
        """A frame of trades."""
        for trade in sorted(row.trades, key=lambda trade: trade.trade_id):
            if trade.is_history:
                self.broken.see_history(trade)
            else:
                self._trade(row.time, trade)

    def interrupt(self, now: int) -> None:
        """The connection begins or ends, so no book is known."""
        self._taken.forget()
        self.late.clear()
        if self._settings.on_break == "keep":
            for order in self.resting:
                self._rested.end(now, order)
                order.place = None
            return
        ended, self.resting = self.resting, []
        if self._market.before.is_known:
            self.broken.begin(ended, self._market.before.book_time)
        for order in ended:
            self._end(now, order, Code.INTERRUPTED)

    def _trade(self, now: int, trade: Trade) -> None:
        size = left = size_units(trade.size)
        book_time = self._market.book_time
        met = [
            order
            for order in (*self.resting, *self.late)
            if order.side == trade.maker_side and order.reaches(trade.price) and _can_meet(order, trade)
        ]
        for order in sorted(met, key=by_priority):
            place = order.place
            assert place is not None  # noqa: S101  `_can_meet` says so
            place.settle_before_trade(now, trade.exchange_time)
            ahead = place.ahead
            is_through = order.price != trade.price
            if is_through:
                place.trade_through()
            filled = order.fill(place.trade_reaches(left))
            if not is_through:
                place.explain(size, trade.exchange_time, book_time)
            left -= filled
            is_late = order.late_book_time is not None
            by: FilledBy = "late" if is_late else "through" if is_through else "trade"
            self._filled(now, order, order.price, filled, by, ahead)
            if not order.left:
                (self.late if is_late else self.resting).remove(order)

    def _cross(self, now: int) -> None:
        """Fill resting orders that the opposite best is at or through."""
        for order in sorted(self.resting, key=by_priority):
            best = self._market.best(OTHER_SIDE[order.side])
            if order.place is None or best is None or not order.reaches(best):
                continue
            ahead = order.place.ahead
            order.place.trade_through()
            self._take(now, order, order.price, "cross", ahead)
            if not order.left:
                self.resting.remove(order)

    def _take_up_kept(self, now: int) -> None:
        """Orders that were kept over an interruption meet the first book after it (`--on-break keep`)."""
        for order in list(self.resting):
            best = self._market.best(OTHER_SIDE[order.side])
            is_through = best is not None and order.reaches(best) and best != order.price
            if is_through and not self._market.is_crossed:
                filled = order.fill(Ahead(order.size, order.size, order.size))
                self.resting.remove(order)
                self._filled(now, order, order.price, filled, "through", _NOBODY)
            else:
                order.place = QueuePlace.at_the_back(self._market, order.side, order.price)
                self._rested.begin(now, order)

    # What happens to one order

    def _enter(self, now: int, order: Order, limit: int) -> None:
        """Let an accepted order take, and rest with what a limit order has left."""
        order.place = None
        self._take(now, order, limit, "take", _NOBODY)
        if not order.left:
            return
        if order.kind != "limit":
            self._end(now, order, Code.EXPIRED)
            return
        order.place = QueuePlace.at_the_back(self._market, order.side, order.price)
        order.rank, self._accepted = self._accepted, self._accepted + 1
        self.resting.append(order)
        self._rested.begin(now, order)
        if order.rested is None:  # of an amend its own event says it all
            order.rested, order.ahead_at_rest = now, order.place.back
            self._tell(now, Code.RESTING, order)

    def _take(self, now: int, order: Order, limit: int, by: FilledBy, ahead: Ahead) -> None:
        """Fill an order from what the levels up to a limit offer, under each model.

        A taker pays the level's price, an order that was there first gets its own.
        """
        for price, offer in self._taken.within(order.side, limit):
            filled = order.fill(Ahead(offer, offer, offer))
            self._taken.take(OTHER_SIDE[order.side], price, filled)
            self._filled(now, order, price if by == "take" else order.price, filled, by, ahead)
            if order.is_filled_everywhere:
                return

    def _filled(self, now: int, order: Order, price: int, size: int, by: FilledBy, ahead: Ahead) -> None:
        """Tell of a fill, and of the end of the order if nothing is left."""
        if not size:
            return
        fees = self._settings.fees
        is_maker = by != "take"
        value = price * size
        fee = fee_of(value, fees.maker if is_maker else fees.taker)
        fill = Fill(
            by, is_maker, value, fee, self._market.seq, self._market.connection, ahead.back, ahead.share
        )
        self._emit(Event(now, Code.FILL, order.number, order.side, price, size, fill, order))
        if not order.left:
            self._end(now, order, Code.FILLED)

    def _end(self, now: int, order: Order, why: Code) -> None:
        self._rested.end(now, order)
        order.ended, order.end = now, why
        self._tell(now, why, order)

    def _tell(self, now: int, code: Code, order: Order) -> None:
        self._emit(order_event(now, code, order))

    def _too_late(self, now: int, number: int) -> None:
        self._emit(Event(now, Code.TOO_LATE, number, None, 0, 0, None, None))

    def _open(self, number: int) -> Order | None:
        return next((order for order in self.resting if order.number == number), None)


def _proposal(order: Order, price: int, size: int) -> Proposal:
    return Proposal(order.side, order.kind, order.post_only, price, size)


def _can_meet(order: Order, trade: Trade) -> bool:
    """Tell whether a trade can have met an order: not if the book that the order joined held it already."""
    if order.place is None:
        return False
    time, since = trade.exchange_time, order.place.since
    if time is not None and since is not None and time <= since:
        return False
    if order.late_book_time is None:
        return True
    return time is not None and time <= order.late_book_time
