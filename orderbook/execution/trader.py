"""A strategy that trades, as a lane calls it."""

from collections.abc import Callable
from typing import Final, Protocol

from orderbook.errors import first_line
from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes
from orderbook.strategy import StrategyError

MOST_ACTIONS: Final = 1_000_000
"""Actions at one moment after which a strategy counts as answering itself for ever; a table ends."""

ENDLESS: Final = "it answers its own events for ever at one moment"


class Trader(Protocol):
    """A strategy that trades: it reads no clock and no randomness of its own."""

    @property
    def wakes(self) -> Wakes: ...  # noqa: D102

    def on_event(self, m: MarketView, /) -> None: ...  # noqa: D102


def call_strategy(trader: Trader, view: MarketView, place: Callable[[], str]) -> None:
    """Wake a strategy.

    Raises:
        StrategyError: if it raises, or returns what nobody reads; `place` says where.
    """
    try:
        returned: object = trader.on_event(view)  # type: ignore[func-returns-value]  # of a user
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() must not end a recording
        raise StrategyError(f"{place()}: {first_line(error)}") from error
    if returned is not None and not isinstance(returned, int):  # the number of an order is nothing wrong
        kind = type(returned).__name__
        raise StrategyError(f"{place()}: on_event returned a {kind}, which nobody reads: send requests to m")
