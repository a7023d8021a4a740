"""What a synthetic market is made from, and the integer units that it counts in.

Inside a market a price is an integer of ticks and a size an integer of 1e-8, so no float ever meets the
text of a frame.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

STEPS_A_BP = Decimal("2.5")
"""Quoting steps in a basis point of the mid price: near the touch levels stand on whole steps."""

BAND_STEPS = 1_000
"""Levels stand on whole steps within this distance of the first mid price; farther out, on any tick."""

_WIDEST_GAP_TICKS = 3
"""Largest gap in ticks between neighbouring levels outside the band, when the book is first filled."""


@dataclass(frozen=True)
class MarketSettings:
    """A synthetic market; equal settings give equal frames.

    The spread is made in quoting steps of about 0.4 bps, at least a tick: with the default mid and tick a
    step is a tick. A deep book needs a finer tick, because its bids must fit above zero: 20,000
    levels a side go with `tick="0.01"`.

    Attributes:
        product: the product id under which the market is served.
        seed: seed of the randomness; products with the same seed still differ.
        depth: levels a side that the book stays near.
        mid: first mid price, decimal text.
        tick: price increment, decimal text; prices are spelled with as many decimals.
        thin_every: mean number of calm frames until liquidity thins out and the spread widens; 0 is never.

    Raises:
        ValueError: where a number is out of range or the bids would not fit above zero.
    """

    product: str = "BTC-USD"
    seed: int = 1
    depth: int = 500
    mid: str = "25000.00"
    tick: str = "1.00"
    thin_every: int = 800

    def __post_init__(self) -> None:
        if self.depth < 1 or self.thin_every < 0 or Decimal(self.tick) <= 0:
            raise ValueError("depth is at least 1, thin_every at least 0 and tick above 0")
        room = BAND_STEPS * self.step + _WIDEST_GAP_TICKS * self.depth
        if self.mid_ticks <= room:
            raise ValueError(
                f"{self.depth} bids from {self.mid} down do not fit above zero: take a finer tick"
            )

    @cached_property
    def decimals(self) -> int:
        """Decimals in the text of a price."""
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
        return max(1, round(self.mid_ticks / (10_000 * STEPS_A_BP)))

    def price_text(self, ticks: int) -> str:
        """Spell a price.

        >>> MarketSettings(mid="100.00", tick="0.01").price_text(9907)
        '99.07'
        """
        units = ticks * self.tick_units
        if not self.decimals:
            return str(units)
        whole, fraction = divmod(units, 10**self.decimals)
        return f"{whole}.{fraction:0{self.decimals}d}"


def size_text(size: int) -> str:
    """Spell a size given in units of 1e-8: with 8 decimals, or `0` where there is none.

    >>> size_text(4_505_414), size_text(0)
    ('0.04505414', '0')
    """
    if size == 0:
        return "0"
    whole, fraction = divmod(size, 10**8)
    return f"{whole}.{fraction:08d}"
