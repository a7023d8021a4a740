"""A synthetic market of single orders as a tape whose truth is known: which order was filled by how much.

A batch of the market is told as each feed tells it. `level2`: an update of the trades, the trades with the
same time, then an update for every other event. `level2_batch`: the trades, then one update that holds them
and all else. `advanced`: one update, and its trades before or after it.

A feed that tells a batch at once hides the order of what is in it. An order is left out if the other side was
at its price, or beyond, before the batch in which it came or after the batch in which it went; on Advanced
also if its own side traded in the batch in which it came.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from orderbook.venues.base import Side, TextTrade
from orderbook.venues.registry import venue
from replay.synthetic.ladder import OrderEvent
from replay.synthetic.market import SyntheticMarket
from replay.synthetic.settings import MarketSettings, size_text
from tests.support.constants import BTC, MS, START
from tests.support.oracle import Row

FeedKind = Literal["level2", "level2_batch", "advanced"]
FEED_KINDS: Final[tuple[FeedKind, ...]] = ("level2", "level2_batch", "advanced")
_LAG: Final = 20 * MS  # of the receiver behind the exchange
_PAUSE: Final = 60 * MS  # between batches

_Sizes = dict[tuple[Side, str], int]


@dataclass(slots=True)
class RealOrder:
    """An order of the market, and what a copy of it must do to share its fate.

    Attributes:
        side, price, size: price as decimal text, size in units of 1e-8.
        sent: recv_time at which the copy must arrive: just before the frame that shows the order.
        cancelled: recv_time at which the copy must be cancelled; None if the order never was.
        filled: how much of it was filled, in units of 1e-8.
    """

    side: Side
    price: str
    size: int
    sent: int
    cancelled: int | None = None
    filled: int = 0


@dataclass(slots=True)
class TrueMarket:
    """The feed of `rows` ("exchange" or "advanced"), and the orders that were cancelled whole or never."""

    feed: str
    rows: list[Row]
    orders: list[RealOrder]


def true_market(kind: FeedKind, seed: int, batches: int = 150) -> TrueMarket:
    """Return a market of some batches on one connection."""
    market = SyntheticMarket(MarketSettings(BTC, seed, depth=15, trade_every=2))
    tape = _Tape(kind, market, random.Random(seed))
    events = market.keep_events()
    orders: dict[int, RealOrder] = {}
    for _ in range(batches):
        events.clear()
        market.update()
        fills = [event for event in events if event.what == "fill"]
        others = [event for event in events if event.what != "fill"]
        before = tape.best()
        told = tape.batch(fills, others)
        after = tape.best()
        for event, time in zip((*fills, *others), told, strict=True):
            price = market.settings.price_text(event.price)
            if event.what == "open":
                is_hidden = kind == "advanced" and any(each.side == event.side for each in fills)
                if kind == "level2" or not (is_hidden or _meets(event.side, price, before)):
                    orders[event.order] = RealOrder(event.side, price, event.size, time - 1)
            elif event.order in orders:
                order = orders[event.order]
                if event.what == "fill":
                    order.filled += event.size
                elif event.size < order.size - order.filled or (
                    kind != "level2" and _meets(event.side, price, after)
                ):
                    del orders[event.order]  # no plain order shares the fate of one that was made smaller
                else:
                    order.cancelled = time
    return TrueMarket(tape.feed, tape.rows, list(orders.values()))


def _meets(side: Side, price: str, best: dict[Side, Decimal]) -> bool:
    """Tell whether the other side is at a price or beyond it."""
    if side == "bid":
        return best["ask"] <= Decimal(price)
    return best["bid"] >= Decimal(price)


class _Tape:
    """Writes the frames of a market.

    Attributes:
        feed: name of the venue.
        rows: the rows so far.
    """

    def __init__(self, kind: FeedKind, market: SyntheticMarket, rng: random.Random) -> None:
        self.feed = "advanced" if kind == "advanced" else "exchange"
        self._kind = kind
        self._market = market
        self._rng = rng
        self._server = venue(self.feed).server(0)
        self._time = START
        self.rows = [Row(0, START, 0, "connected", "{}")]
        book = market.snapshot()
        self._sizes: _Sizes = {("bid", price): _units(size) for price, size in book.bids}
        self._sizes |= {("ask", price): _units(size) for price, size in book.asks}
        self._frame(self._server.snapshot(BTC, *book, self._time), 0)

    def best(self) -> dict[Side, Decimal]:
        """Return the best prices."""
        prices: dict[Side, list[Decimal]] = {"bid": [], "ask": []}
        for (side, price), size in self._sizes.items():
            if size:
                prices[side].append(Decimal(price))
        return {"bid": max(prices["bid"]), "ask": min(prices["ask"])}

    def batch(self, fills: list[OrderEvent], others: list[OrderEvent]) -> list[int]:
        """Write the frames of a batch; return the recv_time of the update that shows each event."""
        self._time += _PAUSE
        traded = self._apply(fills)
        happened, batched = self._time + 5 * MS, self._time + 12 * MS
        trades = [TextTrade(*each, happened) for each in self._market.trades]
        if self._kind == "level2":
            told = [self._update(traded, happened, 0) if trades else 0] * len(fills)
            self._trades(trades, happened, MS)
            return told + [
                self._update(self._apply([event]), batched + place * 1000, 10 * MS + place * 1000)
                for place, event in enumerate(others)
            ]
        changed = traded | self._apply(others)
        if self._kind == "level2_batch" or self._rng.random() < 0.4:
            self._trades(trades, batched, 0)
            time = self._update(changed, batched, 10 * MS)
        else:
            time = self._update(changed, batched, 0)
            self._trades(trades, batched, 10 * MS)
        return [time] * (len(fills) + len(others))

    def _apply(self, events: Iterable[OrderEvent]) -> _Sizes:
        """Apply events to the sizes; return those of the levels that they touched."""
        touched: _Sizes = {}
        for event in events:
            place = event.side, self._market.settings.price_text(event.price)
            size = event.size if event.what == "open" else -event.size
            touched[place] = self._sizes[place] = self._sizes.get(place, 0) + size
        return touched

    def _update(self, sizes: _Sizes, time: int, delay: int) -> int:
        changes = [(side, price, size_text(size)) for (side, price), size in sizes.items()]
        self._frame(self._server.update(BTC, changes, time), delay)
        return self.rows[-1].recv_time

    def _trades(self, trades: list[TextTrade], time: int, delay: int) -> None:
        for place, text in enumerate(self._server.trades(BTC, trades, time)):
            self._frame(text, delay + place)

    def _frame(self, text: str, delay: int) -> None:
        self.rows.append(Row(len(self.rows), self._time + _LAG + delay, 0, "frame", text))


def _units(size: str) -> int:
    return int(Decimal(size) * 10**8)
