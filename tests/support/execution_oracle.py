"""The naive oracle of simulated execution: a second program of its contract that shares no code with ours.

Rules for editing it: do not import orderbook, recorder or replay; use plain dicts, lists, exact numbers, and
max() and min() over all levels; do not make it faster or shorter if that makes it less obvious. Numbers in
comments are sections of the contract. Prices and sizes are in units of 1e-8, money in units of 1e-16.

A tape is a list of rows, each a dict with `t` (receive time in nanoseconds) and `row`:

- `snapshot`: `bids` and `asks`, lists of [price, size] as texts, and `time`
- `update`: `changes`, a list of [side, price, size], and `time`
- `trades`: `trades`, a list of [maker side, price, size, time, trade_id]; `is_history` if they fill nothing
- `connected`, `disconnected`, `other`

Times are nanoseconds or None. A request is a dict with `t`, `name` (of its order) and `do`: `buy` or `sell`
(`size`, `price` unless it is a market order, `post_only`, `ioc`), `amend` (`price`, and `size`: what is to be
left) or `cancel`.
"""

import hashlib
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

from tests.support.constants import MS, SECOND

UNIT = 10**8
MODELS = ("back", "share", "front")
SIGN = {"bid": 1, "ask": -1}
OTHER = {"bid": "ask", "ask": "bid"}
EXPLAINED_WITHIN = 250 * MS  # a decrease without its trade for as long is a cancel
LATE_WITHIN = SECOND  # a cancelled order meets late trades for as long
MOST_OPEN = 64
MOST_WAITING = 16

DEFAULTS: Mapping[str, Any] = {
    "queue": "share",
    "latency": 0,  # ns; or a list, by request number; or {"base": ns, "factor": n} of the feed's lag
    "report": 0,  # ns
    "maker": 0,  # fees in 1e-6
    "taker": 0,
    "impact": "taken",  # or "none"
    "on_break": "end",  # or "keep"
    "tick": None,  # None: the greatest common divisor of the first snapshot's prices
    "lot": "0.00000001",
    "collar": "0.02",
    "min_funds": "0",
    "band": None,
    "cash": None,  # what the account has at the start, checked only if given
    "base": None,
}

ENDS = (
    *("filled", "expired", "cancelled", "interrupted", "end", "unsent"),
    *("no_book", "increment", "min_funds", "band", "self_trade", "post_only", "crossed", "funds", "too_many"),
)
CODES = {"rested": 1, "fill": 2, "amended": 3, "amend_refused": 4, "too_late": 5}
"""Codes of events in the digest, which the contract leaves open; an end has 16 plus its place in ENDS."""


@cache
def exact(text: object) -> Any:
    """Return a price or size in units of 1e-8: an int, or a Fraction if it has more decimals."""
    number = Fraction(str(text)) * UNIT
    return int(number) if number.denominator == 1 else number


def cut(text: object) -> int:
    """Return a size of the feed in units of 1e-8, further decimals cut off (5.1)."""
    return int(exact(text))


@dataclass
class Decrease:
    """A decrease of a level that no trade has explained yet (5.4)."""

    t: int
    amount: int
    before: int
    after: int
    book_time: int | None


@dataclass(eq=False)
class Order:
    """An order of ours, and its queue at its level."""

    number: int
    name: str
    side: str
    kind: str
    price: Any  # None for a market order
    size: Any  # filled + left, changed by an amend
    post_only: bool
    end: str | None = None
    filled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))
    place: int = 0  # in the order of acceptance
    cancelled: tuple[int, int | None] | None = None  # when, and the book time of that moment
    # 5.4
    level: int = 0
    since: int | None = None
    ahead: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))
    before: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))  # ahead, before a fill
    fresh: bool = True
    waiting: list[Decrease] = field(default_factory=list)
    owed: list[tuple[int, int | None]] = field(default_factory=list)  # size, time
    stay: tuple[Any, ...] | None = None  # since when it rests as it does, its price and size, what was ahead


class Exchange:
    """One lane: the book of a product, our orders in it, and the account."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.set = {**DEFAULTS, **settings}
        self.queue: str = self.set["queue"]
        self.now = 0
        self.book: dict[str, dict[int, Any]] | None = None
        self.tick = exact(self.set["tick"]) if self.set["tick"] else None
        self.book_time: int | None = None
        self.lag = self.least_lag = 0
        self.prints: list[tuple[str, int, int, int | None]] = []  # side, price, size, time
        self.taken: dict[tuple[str, int], int] = {}
        self.orders: dict[str, Order] = {}
        self.resting: list[Order] = []  # in the order of acceptance
        self.cancelled: list[Order] = []
        self.places = self.requests = self.last_arrival = 0
        self.due: list[tuple[int, Mapping[str, Any]]] = []
        self.cash = self.position = self.fees = self.cost = self.realised = 0
        self.cause: tuple[str, Any, int] = ("", None, 0)  # what, trade_id, how many rows came before
        self.fills: list[dict[str, Any]] = []
        self.events: list[tuple[Any, ...]] = []
        self.reports: list[tuple[int, str, str]] = []
        self.ahead: list[dict[str, dict[str, int]]] = []  # after each row of the tape
        self.stays: list[tuple[Any, ...]] = []  # number, side, price, from, until, size, ahead at both ends

    # 1. The book, its time, and the trades that it does not show yet.

    def in_book(self, time: int | None) -> bool:
        """Return whether a trade is in the book, asked after a book frame that follows the trade."""
        return time is None or self.book_time is None or time <= self.book_time

    def side(self, side: str) -> dict[int, Any]:
        """Return the levels of a side; none if no book is known."""
        return self.book[side] if self.book else {}

    def size_at(self, side: str, price: int) -> int:
        """Return the size that the book shows at a price."""
        return int(self.side(side).get(price, 0))

    def best(self, side: str) -> Any:
        """Return the best price of a side, or None."""
        return max(self.side(side), key=lambda price: SIGN[side] * price, default=None)

    def is_crossed(self) -> bool:
        """Return whether the best bid is above the best ask (5.9)."""
        bid, ask = self.best("bid"), self.best("ask")
        return bid is not None and ask is not None and bid > ask

    def within(self, side: str, limit: Any) -> list[int]:
        """Return the prices of the other side that an order of this side and limit meets, best first."""
        reached = [price for price in self.side(OTHER[side]) if SIGN[side] * (limit - price) >= 0]
        return sorted(reached, key=lambda price: SIGN[side] * price)

    # 2. One clock.

    def send(self, request: Mapping[str, Any]) -> None:
        """Number a request, and its order, and find when it arrives."""
        latency = self.set["latency"]
        if isinstance(latency, Mapping):
            latency = latency["base"] + math.floor(
                Fraction(str(latency["factor"])) * (self.lag - self.least_lag)
            )
        elif isinstance(latency, Sequence):
            latency = latency[self.requests % len(latency)]
        self.requests += 1
        self.last_arrival = max(request["t"] + latency, self.last_arrival)
        self.due.append((self.last_arrival, request))
        if request["do"] in {"buy", "sell"}:
            price = request.get("price")
            self.orders[request["name"]] = Order(
                number=len(self.orders) + 1,
                name=request["name"],
                side="bid" if request["do"] == "buy" else "ask",
                kind="market" if price is None else "ioc" if request.get("ioc") else "limit",
                price=None if price is None else exact(price),
                size=exact(request["size"]),
                post_only=bool(request.get("post_only")),
            )

    def arrive(self, time: int, request: Mapping[str, Any]) -> None:
        """Let a request act on the book as it stands."""
        self.now = time
        self.cause = ("arrival", None, len(self.ahead))
        self.settle_all()
        order = self.orders[request["name"]]
        if request["do"] == "cancel":
            self.cancel(order)
        elif request["do"] == "amend":
            self.amend(order, request)
        else:
            self.accept(order)

    # 3. The order of events.

    def row(self, row: Mapping[str, Any]) -> None:
        """Process one row of the tape, after everything that was due before it."""
        self.now = row["t"]
        if row["row"] in {"connected", "disconnected"}:
            self.interrupt()
        elif row["row"] == "snapshot" or (row["row"] == "update" and self.book is not None):
            self.cause = ("book", None, len(self.ahead))
            self.book_frame(row)
        elif row["row"] == "trades" and not row.get("is_history"):
            for side, price, size, time, trade_id in sorted(row["trades"], key=lambda trade: trade[4]):
                self.cause = ("trade", trade_id, len(self.ahead))
                self.trade(side, exact(price), cut(size), time)
        self.settle_all()
        self.ahead.append({order.name: dict(order.ahead) for order in self.resting})

    def book_frame(self, row: Mapping[str, Any]) -> None:
        """Update the book, then every queue, then cross."""
        was_known = self.book is not None
        is_snapshot = row["row"] == "snapshot"
        if is_snapshot:
            self.book = {
                side: {exact(price): exact(size) for price, size in row[key] if exact(size)}
                for side, key in (("bid", "bids"), ("ask", "asks"))
            }
            self.taken = {}
            if self.tick is None:
                self.tick = math.gcd(*self.book["bid"], *self.book["ask"]) or 1
        for side, price, size in row.get("changes", ()):
            self.side(side)[exact(price)] = exact(size)
            if exact(size) == 0:
                del self.side(side)[exact(price)]
        if row["time"] is not None:
            self.lag = row["t"] - row["time"]
            self.least_lag = self.lag if self.book_time is None else min(self.least_lag, self.lag)
            self.book_time = row["time"] if self.book_time is None else max(self.book_time, row["time"])
        self.prints = [trade for trade in self.prints if not self.in_book(trade[3])]
        self.taken = {level: min(taken, self.size_at(*level)) for level, taken in self.taken.items()}
        for order in list(self.resting):
            if not was_known:
                self.come_back(order)
            elif is_snapshot:
                self.queue_at_snapshot(order)
            else:
                self.queue_at_update(order)
        self.cross()

    # 5.2 A new order.

    def limit(self, side: str, price: Any) -> Any:
        """Return the limit of an order; of a market order the best price and the collar (5.3)."""
        if price is not None:
            return price
        best = self.best(OTHER[side])
        return best + SIGN[side] * math.floor(best * Fraction(self.set["collar"]))

    def refusals(self, order: Order, price: Any, size: Any) -> Iterator[str]:
        """Yield why an order, or its amend to this price and size, is refused: the first reason counts."""
        side, other = order.side, OTHER[order.side]
        if self.book is None or (order.kind != "limit" and not self.book[other]):
            yield "no_book"
        if self.is_off_grid(price, size):
            yield "increment"
        if (price or self.best(other)) * size < exact(self.set["min_funds"]) * UNIT:
            yield "min_funds"
        if price is not None and self.is_outside_band(side, price):
            yield "band"
        limit = self.limit(side, price)
        others = [own for own in self.resting if own is not order]
        if any(own.side == other and SIGN[side] * (limit - own.price) >= 0 for own in others):
            yield "self_trade"
        would_take = any(self.offer(other, level) for level in self.within(side, limit))
        if order.post_only and would_take:
            yield "post_only"
        if would_take and self.is_crossed():
            yield "crossed"
        if self.is_beyond_funds(order, limit, size, others):
            yield "funds"
        if len(others) >= MOST_OPEN:
            yield "too_many"

    def is_off_grid(self, price: Any, size: Any) -> bool:
        """Return whether a size or price is not above 0, or off lot or tick."""
        is_off_lot = size <= 0 or size % exact(self.set["lot"])
        return bool(is_off_lot or (price is not None and (price <= 0 or price % self.tick)))

    def is_outside_band(self, side: str, price: int) -> bool:
        """Return whether a limit lies further beyond the opposite best than the band, a fraction, allows."""
        best = self.best(OTHER[side])
        if self.set["band"] is None or best is None:
            return False
        return bool(SIGN[side] * (price - best) > best * Fraction(self.set["band"]))

    def is_beyond_funds(self, order: Order, limit: Any, size: Any, others: Sequence[Order]) -> bool:
        """Return whether the account lacks what this order and its resting ones of that side may cost."""
        side = order.side
        held = [(own.price, self.left(own)) for own in others if own.side == side]
        if side == "ask":
            base = self.set["base"]
            return base is not None and size + sum(part for _, part in held) > exact(base) + self.position
        values = [price * part for price, part in held] + [limit * size]
        if order.kind == "market":  # has no price of its own: it costs what it takes
            values[-1], left = 0, size
            for level in self.within(side, limit):
                part = min(left, self.offer("ask", level))
                values[-1], left = values[-1] + level * part, left - part
        rate = max(0, self.set["maker"], self.set["taker"])
        cost = sum(value + self.fee(value, rate) for value in values)
        return self.set["cash"] is not None and cost > exact(self.set["cash"]) * UNIT + self.cash

    def accept(self, order: Order) -> None:
        """Refuse a new order, or let it take and rest."""
        why = next(self.refusals(order, order.price, order.size), None)
        if why:
            self.ended(order, why)
            return
        self.take(order)
        if not self.left(order):
            self.ended(order, "filled")
        elif order.kind != "limit":
            self.ended(order, "expired")
        else:
            self.rest(order)
            self.event("rested", order, self.left(order))

    # 5.3 Taking.

    def offer(self, side: str, price: int) -> int:
        """Return what a level offers to takers."""
        printed = sum(trade[2] for trade in self.prints if trade[:2] == (side, price))
        return max(0, self.size_at(side, price) - printed - self.taken.get((side, price), 0))

    def take(self, order: Order) -> None:
        """Take from the opposite levels up to the limit; each that gives something is a fill at its price."""
        order.before = dict.fromkeys(MODELS, 0)
        for price in self.within(order.side, self.limit(order.side, order.price)):
            self.meet(order, price, price, "take")

    def meet(self, order: Order, level: int, price: Any, by: str) -> None:
        """Give an order what an opposite level offers, at this price."""
        offer = self.offer(OTHER[order.side], level)
        got = self.give(order, dict.fromkeys(MODELS, offer), price, by, level)
        if self.set["impact"] != "none":
            key = (OTHER[order.side], level)
            self.taken[key] = self.taken.get(key, 0) + got

    # 5.4 The queue.

    def rest(self, order: Order) -> None:
        """Q1: an order comes to its level, behind everybody there."""
        self.places += 1
        order.place = self.places
        self.resting.append(order)
        self.join(order)
        self.begin_stay(order)

    def join(self, order: Order) -> None:
        """Q1: begin the order's queue with the level as displayed and the prints there."""
        order.level = self.size_at(order.side, order.price)
        order.since = self.book_time
        order.owed = [(trade[2], trade[3]) for trade in self.prints if trade[:2] == (order.side, order.price)]
        ahead = max(0, order.level - sum(size for size, _ in order.owed))
        order.ahead = {"back": ahead, "share": ahead, "front": 0}
        order.waiting = []
        order.fresh = True

    def begin_stay(self, order: Order) -> None:
        """Note that an order rests as it does from now on."""
        ahead = (order.ahead["back"], order.ahead["share"])
        order.stay = (order.price, self.now, self.left(order), ahead)

    def end_stay(self, order: Order) -> None:
        """Note until when an order rested as it did."""
        if order.stay is not None:
            self.settle(order)
            price, since, size, ahead = order.stay
            ends = (*ahead, order.ahead["back"], order.ahead["share"])
            side = ["bid", "ask"].index(order.side)
            self.stays.append((order.number, side, price, since, self.now, size, *ends))
        order.stay = None

    def queue_at_update(self, order: Order) -> None:
        """Q2: a book frame, of whichever levels."""
        expected = order.level - sum(size for size, time in order.owed if self.in_book(time))
        order.owed = [(size, time) for size, time in order.owed if not self.in_book(time)]
        level = self.size_at(order.side, order.price)
        if level < expected:
            if len(order.waiting) == MOST_WAITING:
                self.settle_oldest(order)
            order.waiting.append(
                Decrease(self.now, expected - level, max(order.level, 1), level, self.book_time)
            )
        elif order.fresh:
            order.ahead["back"] += level - expected
        order.fresh = False
        order.level = level

    def settle(self, order: Order, trade_time: int | None = None) -> None:
        """Q3: settle the oldest decreases by time, or because a trade is later than they are."""
        while order.waiting:
            oldest = order.waiting[0]
            is_old = self.now >= oldest.t + EXPLAINED_WITHIN
            is_before = (
                trade_time is not None and oldest.book_time is not None and trade_time > oldest.book_time
            )
            if not is_old and not is_before:
                return
            self.settle_oldest(order)

    def settle_oldest(self, order: Order) -> None:
        """Q3: count the oldest decrease as a cancel."""
        oldest = order.waiting.pop(0)
        order.ahead["share"] -= oldest.amount * order.ahead["share"] // oldest.before
        for model in ("back", "share"):
            order.ahead[model] = min(order.ahead[model], oldest.after)

    def settle_all(self) -> None:
        """Q3: settle by time at this moment. When it is done shows in `ahead` alone, and changes no fill."""
        for order in self.resting:
            self.settle(order)

    def queue_at_snapshot(self, order: Order) -> None:
        """Q4: a second snapshot on a connection."""
        self.settle(order)
        order.waiting, order.owed, order.fresh = [], [], False
        order.level = self.size_at(order.side, order.price)
        for model in ("back", "share"):
            order.ahead[model] = min(order.ahead[model], order.level)

    # 5.5 A trade.

    def trade(self, side: str, price: int, size: int, time: int | None) -> None:
        """Let a trade reach our orders of the side that it hit; then it is a print or in the book."""
        left = size
        for order in self.in_reach_of_trade(side, price, time):
            self.settle(order, time)
            order.before = dict(order.ahead)
            is_through = order.price != price
            if is_through:
                self.clear_ahead(order)
            reaching = {}
            for model in MODELS:
                used = min(order.ahead[model], left)
                order.ahead[model] -= used
                reaching[model] = left - used
            if not is_through:
                self.explain(order, size, time)
            by = "late" if order.cancelled else "through" if is_through else "trade"
            left -= self.give(order, reaching, order.price, by, price)
            self.end_if_filled(order)
        if self.is_ahead_of_book(time):
            self.prints.append((side, price, size, time))

    def is_ahead_of_book(self, time: int | None) -> bool:
        """Return whether the book does not show a trade that comes now (1)."""
        return time is None or self.book_time is None or time > self.book_time

    def in_reach_of_trade(self, side: str, price: int, time: int | None) -> list[Order]:
        """Return the orders that a trade is at or through, best price first, then by acceptance."""
        here = [*self.resting, *(own for own in self.cancelled if self.still_meets(own, time))]
        reached = [
            order
            for order in here
            if self.book is not None
            and order.side == side
            and SIGN[side] * (order.price - price) >= 0
            and not (order.since is not None and time is not None and time <= order.since)
        ]
        return sorted(reached, key=lambda order: (-SIGN[side] * order.price, order.place))

    def explain(self, order: Order, size: int, time: int | None) -> None:
        """Explain waiting decreases by a trade at the order's price; the rest of the trade is owed."""
        for decrease in order.waiting:
            explained = min(decrease.amount, size)
            decrease.amount -= explained
            size -= explained
        order.waiting = [decrease for decrease in order.waiting if decrease.amount]
        if size and self.is_ahead_of_book(time):
            order.owed.append((size, time))

    @staticmethod
    def clear_ahead(order: Order) -> None:
        """Nobody is ahead of the order any more, under any model."""
        order.ahead = dict.fromkeys(MODELS, 0)

    # 5.6 Crossing.

    def cross(self) -> None:
        """Let the opposite best meet the resting orders that it is at or through."""
        if self.is_crossed():
            return
        for order in sorted(self.resting, key=lambda order: (-SIGN[order.side] * order.price, order.place)):
            levels = self.within(order.side, order.price)
            self.settle(order)
            order.before = dict(order.ahead)
            if levels:
                self.clear_ahead(order)
            for level in levels:
                self.meet(order, level, order.price, "cross")
            self.end_if_filled(order)

    # 5.7 Cancel and amend.

    def cancel(self, order: Order) -> None:
        """Cancel a resting order; what is left of it still meets late trades for a second."""
        if order not in self.resting:
            self.event("too_late", order)
            return
        self.ended(order, "cancelled")
        order.cancelled = (self.now, self.book_time)
        self.cancelled.append(order)

    def still_meets(self, order: Order, time: int | None) -> bool:
        """Return whether a cancelled order meets a trade: one that was in the book when it was cancelled."""
        assert order.cancelled is not None
        when, book_time = order.cancelled
        is_recent = self.now <= when + LATE_WITHIN
        return is_recent and time is not None and book_time is not None and time <= book_time

    def amend(self, order: Order, request: Mapping[str, Any]) -> None:
        """Change an order in place, or let it leave and come again at the back."""
        if order not in self.resting:
            self.event("too_late", order)
            return
        price = order.price if request.get("price") is None else exact(request["price"])
        left = exact(request["size"])
        stays = price == order.price and left <= self.left(order)
        if stays and self.book is not None:
            why = "increment" if self.is_off_grid(price, left) else None
        else:
            why = next(self.refusals(order, price, left), None)
        if why:
            self.event("amend_refused", order, why=why)
            return
        self.end_stay(order)
        order.price = price
        order.size = order.filled[self.queue] + left
        self.event("amended", order, left)
        if stays:
            self.begin_stay(order)
        else:
            self.resting.remove(order)
            self.take(order)
            if self.left(order):
                self.rest(order)
            else:
                self.ended(order, "filled")

    # 5.8 Interruptions.

    def interrupt(self) -> None:
        """Forget the book; end the resting orders, or keep them until the next snapshot."""
        if self.set["on_break"] != "keep":
            for order in list(self.resting):
                self.ended(order, "interrupted")
        for order in self.resting:
            self.end_stay(order)
        self.book = self.book_time = None
        self.lag = self.least_lag = 0
        self.prints, self.taken, self.cancelled = [], {}, []

    def come_back(self, order: Order) -> None:
        """Place a kept order at the first snapshot: filled whole if that is through it, else at the back."""
        self.join(order)
        best = self.best(OTHER[order.side])
        if best is not None and SIGN[order.side] * (order.price - best) > 0 and not self.is_crossed():
            self.give(order, dict.fromkeys(MODELS, int(order.size)), order.price, "through", None)
            self.end_if_filled(order)
        else:
            self.begin_stay(order)

    # 6. Money.

    def left(self, order: Order) -> Any:
        """Return what is left of an order under the lane's own model."""
        return order.size - order.filled[self.queue]

    def give(self, order: Order, amounts: Mapping[str, int], price: Any, by: str, level: Any) -> int:
        """Fill an order with what reaches it under each model, and return the fill of the lane's own."""
        got = 0
        for model in MODELS:
            part = max(0, min(amounts[model], int(order.size - order.filled[model])))
            order.filled[model] += part
            if model == self.queue:
                got = part
        if got:
            self.account(order, int(price), got, by, level)
        return got

    @staticmethod
    def fee(value: Any, rate: int) -> int:
        """Return the fee of a value at a rate in 1e-6, rounded against us."""
        return math.ceil(Fraction(value) * rate / 10**6)

    def account(self, order: Order, price: int, size: int, by: str, level: Any) -> None:
        """Book one fill: cash, position, and the round trip by average cost."""
        sign = SIGN[order.side]
        is_maker = by != "take"
        fee = self.fee(price * size, self.set["maker" if is_maker else "taker"])
        self.cash -= sign * price * size + fee
        self.fees += fee
        closed = min(size, abs(self.position)) if self.position * sign < 0 else 0
        if closed:
            part = abs(self.cost) * closed // abs(self.position)
            self.realised += -sign * (price * closed - part)
            self.cost += sign * part
        self.cost += sign * price * (size - closed)
        self.position += sign * size
        fill = {"t": self.now, "order": order.name, "number": order.number, "side": order.side}
        fill |= {"price": price, "size": size, "maker": is_maker, "by": by, "fee": fee}
        fill |= {"ahead_back": order.before["back"], "ahead_share": order.before["share"]}
        fill |= {"cash": self.cash, "position": self.position, "realised": self.realised}
        self.fills.append(fill | {"fees": self.fees, "cost": self.cost, "cause": self.cause, "level": level})
        self.event("fill", order, size, is_maker=is_maker, fee=fee, price=price)

    # 7. Results.

    def event(self, what: str, order: Order, size: Any = 0, why: str = "", **fill: Any) -> None:
        """Note an event, and the report of it."""
        has_order = what not in {"too_late", "amend_refused"}
        side, price = (order.side, fill.get("price", order.price)) if has_order else ("", None)
        numbers = (int(price or 0), int(size), fill.get("is_maker", False), fill.get("fee", 0))
        self.events.append((self.now, what, why, order.number, side, *numbers))
        text = why or ("resting" if what == "rested" else what)
        self.reports.append((self.now + self.set["report"], text, order.name))

    def ended(self, order: Order, why: str) -> None:
        """End an order."""
        self.end_stay(order)
        order.end = why
        self.resting = [own for own in self.resting if own is not order]
        self.cancelled = [own for own in self.cancelled if own is not order]
        self.event("end", order, self.left(order), why=why)

    def end_if_filled(self, order: Order) -> None:
        """End an order of which nothing is left, a cancelled one too."""
        if not self.left(order):
            self.ended(order, "filled")


def run(
    rows: Iterable[Mapping[str, Any]], requests: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Exchange:
    """Run one lane over a tape: requests are sorted by time, ties in the order given (2, 3 and 4)."""
    lane = Exchange(settings)
    unsent = sorted(requests, key=lambda request: request["t"])
    for row in rows:
        while unsent and unsent[0]["t"] < row["t"]:
            lane.send(unsent.pop(0))
        while lane.due and lane.due[0][0] < row["t"]:
            lane.arrive(*lane.due.pop(0))
        lane.row(row)
    for order in list(lane.resting):
        lane.ended(order, "end")
    for request in unsent:
        lane.send(request)
    for _, request in lane.due:
        if request["do"] in {"buy", "sell"}:
            lane.ended(lane.orders[request["name"]], "unsent")
    return lane


def digest(events: Iterable[tuple[Any, ...]]) -> str:
    """Return the execution digest of a lane's events (7)."""
    value = bytes(32)
    for time, what, why, number, side, price, size, is_maker, fee in events:
        code = 16 + ENDS.index(why) if what == "end" else CODES[what]
        whole, fraction = divmod(fee, UNIT**2)
        numbers = (time, code, number, SIGN.get(side, 0), price, size, int(is_maker), whole, fraction)
        value = hashlib.sha256(value + struct.pack("<9q", *numbers)).digest()
    return value.hex()
