"""The settings of synthetic markets and of the exchange that serves them.

Inside a market a price is an integer number of ticks and a size an integer number of 1e-8, so the text of a
frame never comes from a float.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from orderbook.venues.registry import DEFAULT_VENUE

FramesOf = Callable[[int, str], Iterable[str]]
"""Prepared frames of (connection index, product), sent as they are in place of snapshot and updates."""

BAND_STEPS = 1_000
"""Within this distance of the first mid price, prices are whole steps; farther out, any tick."""

_WIDEST_GAP_TICKS = 3
"""Largest gap in ticks between neighbouring levels outside the band, when the book is first filled."""


@dataclass(frozen=True)
class MarketSettings:
    """A synthetic market; equal settings give equal frames.

    The spread is a number of quoting steps: of about 0.4 bps by default, and at least a tick, so that with
    the default mid and tick a step is a tick. A deep book needs a finer tick, because its bids must fit above
    zero: for 20,000 levels on each side use `tick="0.01"`.

    Attributes:
        product: product id under which the market is served.
        seed: seed of the random numbers; products with the same seed still differ.
        depth: approximate number of levels on each side.
        mid: first mid price, decimal text.
        tick: price increment, decimal text; prices have as many decimals.
        steps_a_bp: quoting steps per basis point of the mid price; near the touch prices are whole steps.
        refill: chance that a batch fills the best level that a side may have, if it is empty.
        calm_gaps: steps between the best bid and ask while the market is calm; each as likely as it is often.
        thin_every: mean number of calm frames until liquidity thins out and the spread widens; 0 is never.
        trade_every: mean number of batches from one that begins with trades to the next; 0 is never.

    Raises:
        ValueError: if a number is out of range or the bids would not fit above zero.
    """

    product: str = "BTC-USD"
    seed: int = 1
    depth: int = 500
    mid: str = "25000.00"
    tick: str = "1.00"
    steps_a_bp: str = "2.5"
    calm_gaps: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 3)
    refill: float = 0.0
    thin_every: int = 800
    trade_every: int = 8

    def __post_init__(self) -> None:
        if self.depth < 1 or min(self.thin_every, self.trade_every) < 0 or Decimal(self.tick) <= 0:
            raise ValueError(
                "depth must be at least 1, thin_every and trade_every at least 0 and tick above 0"
            )
        room = BAND_STEPS * self.step + _WIDEST_GAP_TICKS * self.depth
        if self.mid_ticks <= room:
            raise ValueError(
                f"{self.depth} bids from {self.mid} down do not fit above zero: use a smaller tick"
            )

    @cached_property
    def decimals(self) -> int:
        """Number of decimals in the text of a price."""
        return len(self.tick.partition(".")[2])

    @cached_property
    def tick_units(self) -> int:
        """A tick in units of the last decimal."""
        return int(self.tick.replace(".", ""))

    @cached_property
    def mid_ticks(self) -> int:
        """The first mid price in ticks, rounded down."""
        return int(Decimal(self.mid) / Decimal(self.tick))

    @cached_property
    def step(self) -> int:
        """A quoting step in ticks."""
        return max(1, round(self.mid_ticks / (10_000 * Decimal(self.steps_a_bp))))

    def price_text(self, ticks: int) -> str:
        """Return the text of a price.

        >>> MarketSettings(mid="100.00", tick="0.01").price_text(9907)
        '99.07'
        """
        units = ticks * self.tick_units
        if not self.decimals:
            return str(units)
        whole, fraction = divmod(units, 10**self.decimals)
        return f"{whole}.{fraction:0{self.decimals}d}"


def size_text(size: int) -> str:
    """Return the text of a size in units of 1e-8: with 8 decimals, or `0` for zero.

    >>> size_text(4_505_414), size_text(0)
    ('0.04505414', '0')
    """
    if size == 0:
        return "0"
    whole, fraction = divmod(size, 10**8)
    return f"{whole}.{fraction:08d}"


@dataclass(frozen=True)
class ExchangeSettings:
    """How a synthetic exchange serves its markets.

    Attributes:
        feed: name of the venue that it imitates.
        rate: updates per second of each product; None is as fast as the client reads.
        frames: number of updates of each product on a connection, which then stays open and silent; None is
            no limit.
        messages: number of the client's messages after which updates begin, if it has a book by then. Which
            updates have trades with them depends on it.
        heartbeats: whether a client that subscribes to heartbeats gets one each second. They follow the
            clock: switch them off if every run must send the same frames.
        port: port on 127.0.0.1; 0 is any free one.
        drop_after: number of rounds of updates after which the first, second, ... connection is dropped
            without a closing handshake, everything sent before being delivered; None is never. Later
            connections are served normally.
        frames_of: prepared frames, sent after the acknowledgement in place of snapshot and updates. If the
            venue numbers its messages, the acknowledgements have the first numbers.
        compression: whether permessage-deflate is offered, as the real feeds do.
        keep_sent: whether the text of all frames is kept in `ConnectionRecord.sent`; off for long benchmarks.
        now_ns: the exchange's clock, nanoseconds since 1970; called in the exchange's thread.
    """

    feed: str = DEFAULT_VENUE
    rate: float | None = None
    frames: int | None = None
    messages: int = 1
    heartbeats: bool = True
    port: int = 0
    drop_after: tuple[int | None, ...] = ()
    frames_of: FramesOf | None = None
    compression: bool = True
    keep_sent: bool = True
    now_ns: Callable[[], int] = time.time_ns


def tight_market(product: str, seed: int) -> MarketSettings:
    """Return a market like BTC-USD: a tick of 0.0015 bps wide most of the time, at times some ticks."""
    return MarketSettings(
        product,
        seed,
        depth=300,
        mid="65000.00",
        tick="0.01",
        steps_a_bp="650",
        calm_gaps=(*[1] * 19, 2),
        refill=0.9,
        thin_every=600,
    )


def thin_market(product: str, seed: int) -> MarketSettings:
    """Return a market of a thinner product: about 0.4 bps wide, at times up to 25 bps."""
    return MarketSettings(product, seed, depth=300, mid="1900.00", tick="0.01", refill=0.5, thin_every=300)
