"""The exchange's side of a connection's conversation: text in, text out, no socket and no waiting.

Each connection has its own copies of the exchange's markets, so its frames follow from the seed and do not
depend on other clients. A client that comes back finds a market in the state in which the connection that got
farthest had left it, as after a reconnect to a real exchange.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from orderbook.venues.base import RefusedError, TextTrade
from orderbook.venues.registry import venue
from replay.synthetic.market import SyntheticMarket
from replay.synthetic.settings import MarketSettings

_HISTORY: Final = 100
"""Trades that a new subscription is told of, as on Advanced Trade."""


class Markets:
    """The markets of one exchange, each in the farthest state that was served.

    Args:
        markets: one per product.
    """

    def __init__(self, markets: Sequence[MarketSettings]) -> None:
        self._settings = {settings.product: settings for settings in markets}
        self._farthest: dict[str, SyntheticMarket] = {}

    @property
    def products(self) -> tuple[str, ...]:
        """Product ids served."""
        return tuple(self._settings)

    def open(self, product: str) -> SyntheticMarket:
        """Return a copy of a market for one connection."""
        farthest = self._farthest.get(product)
        return farthest.fork() if farthest else SyntheticMarket(self._settings[product])

    def give_back(self, market: SyntheticMarket) -> None:
        """Return the market of a connection that ended: the next connection continues it."""
        product = market.settings.product
        farthest = self._farthest.get(product)
        if farthest is None or market.batches > farthest.batches:
            self._farthest[product] = market


class Conversation:
    """Supplies the frames of one connection: replies to its client, then rounds of one update per product.

    Call `receive` with each message of the client, `next_round` when updates are due, `heartbeat` each second
    and `end` once. Frames must be sent in the order in which they were returned.

    Args:
        feed: name of the venue.
        markets: the markets.
        now_ns: the exchange's clock, nanoseconds since 1970.
        prepared: returns the prepared frames of a product; None serves the markets.
    """

    def __init__(
        self,
        feed: str,
        markets: Markets,
        now_ns: Callable[[], int],
        prepared: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        self._venue = venue(feed)
        self.server = self._venue.server(0)
        self.channels: dict[str, list[str]] = {}
        self._all_markets = markets
        self._now_ns = now_ns
        self._prepared = prepared
        self._markets: dict[str, SyntheticMarket] = {}
        self._updates: dict[str, Iterator[list[str]]] = {}
        self._trades_first: dict[str, bool | None] = {}
        self._recent: dict[str, deque[TextTrade]] = defaultdict(lambda: deque(maxlen=_HISTORY))
        self._started_ns = now_ns()
        self._heartbeats = 0

    @property
    def has_book(self) -> bool:
        """Whether the client is subscribed to a book, so that rounds can start."""
        return bool(self._updates)

    def receive(self, text: str) -> list[str]:
        """Return the replies to a message: acknowledgement and snapshots, or one error.

        Whether the acknowledgement comes first depends on the venue.
        """
        books, trades = self._venue.public_book_channels, self._venue.trade_channel
        served = (*books, trades, *self._venue.heartbeat_channels[:1])
        try:
            requested = self.server.read_subscribe(text, self._all_markets.products, served)
        except RefusedError as refused:
            return [self.server.error(refused.message, refused.reason)]
        new = []
        for channel, products in requested.items():
            held = self.channels.setdefault(channel, [])
            held += [product for product in products if product not in held]
            if channel in books:
                new += [product for product in held if product not in self._updates and product not in new]
                self._trades_first |= dict.fromkeys(new, self._venue.trades_first[channel])
        # A server may number frames when it creates them, so they are created in sending order.
        subscribed = requested.get(trades, ())
        if self._venue.acknowledges_first:
            return [self._acknowledgement(), *self._open(new), *self._history(subscribed)]
        return [*self._open(new), *self._history(subscribed), self._acknowledgement()]

    def next_round(self) -> list[str]:
        """Return the next update of each product, and its trades; an empty list if all have ended."""
        return [text for updates in self._updates.values() for texts in islice(updates, 1) for text in texts]

    def heartbeat(self) -> list[str]:
        """Return the next heartbeat; an empty list if the client has not subscribed to heartbeats."""
        channel = self._venue.heartbeat_channels[0]
        if channel not in self.channels:
            return []
        self._heartbeats += 1
        now = self._now_ns()
        uptime = max(0, now - self._started_ns)
        last_trades = {
            product: self._markets[product].last_trade_id if product in self._markets else 0
            for product in self.channels[channel]
        }
        return self.server.heartbeats(last_trades, self._heartbeats, now, uptime)

    def end(self) -> None:
        """Give the markets back and supply no more frames. May be called again."""
        for market in self._markets.values():
            self._all_markets.give_back(market)
        self._markets.clear()
        self._updates.clear()

    def _history(self, products: Iterable[str]) -> list[str]:
        """Return the last trades of products whose trades are subscribed to now."""
        now = self._now_ns() if self._recent else 0
        return [
            text
            for product in products
            if self._recent[product]
            for text in self.server.trades(product, list(self._recent[product]), now, is_history=True)
        ]

    def _acknowledgement(self) -> str:
        return self.server.subscriptions(self.channels, self._now_ns())

    def _open(self, products: Sequence[str]) -> list[str]:
        """Start the books of these products and return their snapshots."""
        snapshots = []
        for product in products:
            if self._prepared is not None:
                self._updates[product] = ([text] for text in self._prepared(product))
                continue
            market = self._all_markets.open(product)
            self._markets[product] = market
            self._updates[product] = self._batches(product, market)
            snapshots.append(self.server.snapshot(product, *market.snapshot(), self._now_ns()))
        return snapshots

    def _batches(self, product: str, market: SyntheticMarket) -> Iterator[list[str]]:
        """Yield the frames of each batch: its update, and its trades if the client subscribed to them."""
        last_us = self._now_ns() // 1000
        while True:
            changes = market.update()
            now = self._now_ns()
            trades_first = self._trades_first[product]
            if trades_first is None:
                trades_first = market.batches % 3 == 0  # real ones: 27 of 74
            times = _times_between(last_us, now // 1000, len(market.trades))
            trades = [TextTrade(*each, time) for each, time in zip(market.trades, times, strict=True)]
            self._recent[product].extend(trades)
            last_us = now // 1000
            if product not in self.channels.get(self._venue.trade_channel, ()):
                yield [self.server.update(product, changes, now)]
            elif trades_first:
                yield [*self.server.trades(product, trades, now), self.server.update(product, changes, now)]
            else:
                yield [self.server.update(product, changes, now), *self.server.trades(product, trades, now)]


def _times_between(after_us: int, until_us: int, number: int) -> list[int]:
    """Return times in nanoseconds, ascending, after one microsecond and at most another.

    >>> _times_between(10, 20, 2), _times_between(10, 10, 1)
    ([15000, 20000], [10000])
    """
    span = until_us - after_us
    return [(until_us - span * (number - place) // number) * 1000 for place in range(1, number + 1)]
