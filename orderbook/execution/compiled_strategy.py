"""Strategies that the compiled exchange runs without Python: what a trader gives as `compiled`."""

from typing import NamedTuple


class Quotes(NamedTuple):
    """`booktape.strategies.QuoteWhenWide` in numbers.

    Attributes:
        threshold: the relative spread above which it quotes.
        size, limit: of an order and of the position, in units of 1e-8.
        inside: ticks inside the best bid and ask.
    """

    threshold: float
    size: int
    limit: int
    inside: int
