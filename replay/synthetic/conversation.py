"""One connection's conversation with its client: text in, text out, no socket and no waiting.

What is served comes from a `Listing`: the markets of an exchange. Each connection has markets of its own,
so the frames of a connection follow from the seed and never from what other clients do meanwhile. A client
that comes back finds the market where the connection that got farthest in it before had left it, as a
reconnect to a real exchange would.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from orderbook.feeds import Feed
from replay.synthetic.dialects import dialect_of
from replay.synthetic.market import MarketSettings, SyntheticMarket
from replay.synthetic.subscribe import BOOK_CHANNELS, HEARTBEAT_CHANNEL, RefusedError, parse_subscribe

FramesOf = Callable[[int, str], Iterable[str]]
"""Prepared frames of (connection index, product), sent as they are in place of snapshot and updates."""


class Listing:
    """The markets of one exchange and how far each has been served.

    Args:
        markets: one per product.
    """

    def __init__(self, markets: Sequence[MarketSettings]) -> None:
        self._settings = {settings.product: settings for settings in markets}
        self._farthest: dict[str, SyntheticMarket] = {}

    @property
    def products(self) -> tuple[str, ...]:
        """The product ids that are served."""
        return tuple(self._settings)

    def open(self, product: str) -> SyntheticMarket:
        """Return a market for one connection alone."""
        farthest = self._farthest.get(product)
        return farthest.fork() if farthest else SyntheticMarket(self._settings[product])

    def leave(self, market: SyntheticMarket) -> None:
        """Take back the market of a connection that ended: the next connection starts where it stands."""
        product = market.settings.product
        farthest = self._farthest.get(product)
        if farthest is None or market.batches > farthest.batches:
            self._farthest[product] = market


class Conversation:
    """What one connection says: replies to its client, then rounds of one update for each product.

    Call `receive` with each message of the client, `next_round` whenever updates are due, `heartbeat` each
    second and `end` once. Frames must go out in the order in which they were returned.

    Args:
        feed: the dialect.
        listing: the markets.
        now_ns: the exchange's clock, nanoseconds since 1970.
        prepared: product to prepared frames; None serves the markets.
    """

    def __init__(
        self,
        feed: Feed,
        listing: Listing,
        now_ns: Callable[[], int],
        prepared: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        self.dialect = dialect_of(feed)
        self.channels: dict[str, list[str]] = {}
        self._feed: Feed = feed
        self._listing = listing
        self._now_ns = now_ns
        self._prepared = prepared
        self._markets: dict[str, SyntheticMarket] = {}
        self._updates: dict[str, Iterator[str]] = {}
        self._started_ns = now_ns()
        self._heartbeats = 0

    @property
    def has_book(self) -> bool:
        """Whether the client is subscribed to a book, so that rounds can start."""
        return bool(self._updates)

    def receive(self, text: str) -> list[str]:
        """Return the replies to a message: acknowledgement and snapshots, or one error.

        The Exchange feed acknowledges first; Advanced Trade sends the snapshots first, as was measured.
        """
        try:
            wanted = parse_subscribe(self._feed, text, self._listing.products)
        except RefusedError as refused:
            return [self.dialect.error(refused.message, refused.reason)]
        new = []
        for channel, products in wanted.items():
            held = self.channels.setdefault(channel, [])
            held += [product for product in products if product not in held]
            if channel in BOOK_CHANNELS[self._feed]:
                new += [product for product in held if product not in self._updates and product not in new]
        # An Advanced frame is numbered when it is made: what goes out first is made first.
        if self._feed == "exchange":
            return [self._acknowledgement(), *self._open(new)]
        return [*self._open(new), self._acknowledgement()]

    def next_round(self) -> list[str]:
        """Return one update of each product that has any left; an empty list when all have ended."""
        return [text for updates in self._updates.values() for text in _at_most_one(updates)]

    def heartbeat(self) -> list[str]:
        """Return the heartbeat that is due; an empty list where the client has not asked for any."""
        channel = HEARTBEAT_CHANNEL[self._feed]
        if channel not in self.channels:
            return []
        self._heartbeats += 1
        now = self._now_ns()
        uptime = max(0, now - self._started_ns)
        return self.dialect.heartbeats(self.channels[channel], self._heartbeats, now, uptime)

    def end(self) -> None:
        """Hand the markets back; nothing more is said. May be called again."""
        for market in self._markets.values():
            self._listing.leave(market)
        self._markets.clear()
        self._updates.clear()

    def _acknowledgement(self) -> str:
        return self.dialect.subscriptions(self.channels, self._now_ns())

    def _open(self, products: Sequence[str]) -> list[str]:
        """Start the books of these products and return their snapshots."""
        snapshots = []
        for product in products:
            if self._prepared is not None:
                self._updates[product] = iter(self._prepared(product))
                continue
            market = self._listing.open(product)
            self._markets[product] = market
            self._updates[product] = self._batches(product, market)
            snapshots.append(self.dialect.snapshot(product, market.snapshot(), self._now_ns()))
        return snapshots

    def _batches(self, product: str, market: SyntheticMarket) -> Iterator[str]:
        while True:
            yield self.dialect.update(product, market.update(), self._now_ns())


def _at_most_one(frames: Iterator[str]) -> list[str]:
    for text in frames:
        return [text]
    return []
