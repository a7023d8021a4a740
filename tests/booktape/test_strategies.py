"""The strategies of the package: what they send, on rows that say what comes out."""

from typing import Any

import pytest

from booktape.strategies import QuoteWhenWide
from orderbook.book import OrderBookState
from orderbook.errors import OptionError
from orderbook.execution.codes import Code
from orderbook.execution.lane import Lane
from orderbook.execution.latency import FixedLatency
from orderbook.execution.market import Market
from orderbook.execution.orders import Order
from orderbook.execution.settings import Fees, LaneSettings, ProductRules
from tests.support.constants import BTC, MS
from tests.support.scenarios import Line, feed, scenario_rows

RULES = ProductRules(1_000_000)
SETTINGS = LaneSettings(fees=Fees(0, 0), latency=FixedLatency(0))


def played(lines: list[Line], **settings: Any) -> Lane:
    """Return the lane of the strategy after some rows."""
    market = Market(OrderBookState(), RULES.tick)
    lane = Lane(BTC, market, QuoteWhenWide(BTC, **settings), rules=RULES, settings=SETTINGS)
    feed(market, [lane], scenario_rows(lines))
    return lane


def book(ms: int, bid: str, ask: str) -> Line:
    """Return a snapshot."""
    return {"t": ms * MS, "row": "snapshot", "bids": [[bid, "1"]], "asks": [[ask, "1"]], "time": ms}


def at(ms: int) -> Line:
    """Return a row that only moves time."""
    return {"t": ms * MS, "row": "other"}


def at_the_end(lane: Lane) -> list[Order]:
    """Return the orders that rested until the end."""
    return [order for order in lane.rows.orders if order.end is Code.END]


def resting(lane: Lane) -> list[tuple[str, int, int]]:
    """Return side, price in ticks and size in 1e-8 of the orders that rested until the end."""
    return [(order.side, order.price // 1_000_000, order.left) for order in at_the_end(lane)]


def test_it_quotes_inside_a_wide_spread_and_not_in_a_narrow_one() -> None:
    """One order a side, a tick inside the best prices; a spread at the threshold is not above it."""
    wide = [book(1, "100.00", "100.20"), at(2)]
    assert resting(played(wide, threshold="10bps")) == [
        ("bid", 10_001, 1_000_000),
        ("ask", 10_019, 1_000_000),
    ]
    assert resting(played(wide, threshold="10bps", inside=0, size="0.02")) == [
        ("bid", 10_000, 2_000_000),
        ("ask", 10_020, 2_000_000),
    ]
    assert resting(played(wide, threshold="20bps")) == []
    # Two ticks leave no room inside for both, so it joins.
    assert resting(played([book(1, "100.00", "100.02"), at(2)], threshold="1bps")) == [
        ("bid", 10_000, 1_000_000),
        ("ask", 10_002, 1_000_000),
    ]


def test_it_moves_its_orders_and_cancels_them() -> None:
    """Quotes follow the best prices by amends, and go when the spread closes or the book is lost."""
    moved = played([book(1, "100.00", "100.20"), book(2, "100.05", "100.25"), at(3)])
    assert resting(moved) == [("bid", 10_006, 1_000_000), ("ask", 10_024, 1_000_000)]
    assert [order.amends for order in at_the_end(moved)] == [1, 1]
    assert resting(played([book(1, "100.00", "100.20"), book(2, "100.09", "100.10"), at(3)])) == []


def test_the_limit_stops_one_side() -> None:
    """No order is sent that would go beyond the limit; the other side goes on."""
    trade = {"t": 3 * MS, "row": "trades", "trades": [["bid", "100.01", "5", 3 * MS, 1]]}
    lane = played([book(1, "100.00", "100.20"), at(2), trade, at(4)], size="0.01", limit="0.01")
    assert lane.account.position == 1_000_000
    assert resting(lane) == [("ask", 10_019, 1_000_000)]


@pytest.mark.parametrize(
    "settings", [{"threshold": 10}, {"inside": -1}, {"inside": "1"}, {"size": 0}, {"size": 1, "limit": "0.5"}]
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    """A setting that cannot be used is refused, and named."""
    with pytest.raises(OptionError):
        QuoteWhenWide(BTC, **settings)
