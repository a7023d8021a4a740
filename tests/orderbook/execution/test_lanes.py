"""All lanes of a product: a row is shown only to those that it concerns, and no lane can tell."""

import dataclasses
import random
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.book import OrderBookState
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.lane import Lane
from orderbook.execution.lanes import Lanes
from orderbook.execution.market import Market
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import UNITS
from orderbook.execution.settings import LaneSettings
from orderbook.execution.table import OrdersTable
from orderbook.execution.trader import Trader
from orderbook.execution.wakes import Wakes
from orderbook.venues.base import Side
from tests.endurance.forms import cases
from tests.support.constants import BTC, MS, SECOND
from tests.support.execution_cases import FEEDS, Case, random_case
from tests.support.execution_twins import rows_of, settings_of, table_of
from tests.support.scenarios import EveryRow, Line, feed, scenario_rows

WAKES: Final = (
    Wakes(top=True, fills=True),
    Wakes(book=True),
    Wakes(trades=True, reports=True),
    Wakes(spread="3bps", fills=True),
    Wakes(every="70ms"),
    Wakes(every="1s", top=True),
)


class Restless:
    """A strategy that does something at random whenever it is woken, and logs all that it sees."""

    def __init__(self, seed: int, wakes: Wakes) -> None:
        self.wakes = wakes
        self._rng = random.Random(seed)

    def on_event(self, m: MarketView) -> None:
        """Log, and do something at random."""
        ahead = [(order.number, order.state, order.left, order.ahead) for order in m.orders]
        m.log(
            now=m.now,
            why=m.why,
            bid=m.bid,
            ask_size=m.ask_size,
            ahead=ahead,
            cash=m.cash,
            trades=len(m.trades),
        )
        side: Side = self._rng.choice(("bid", "ask"))
        price = m.bid if side == "bid" else m.ask
        if price is None:
            return
        price += self._rng.randrange(-3, 4) * m.tick
        what = self._rng.randrange(8)
        if what < 3:
            m.quote(side, price, self._rng.choice(("0.5", "2")))
        elif what == 3:
            m.market(side, "0.7")
        elif what == 4:
            m.buy(price, 1) if side == "bid" else m.sell(price, 1)
        elif what == 5:
            m.cancel_all(side)
        elif what == 6:
            m.wake_at(m.now + self._rng.choice((0, MS, SECOND)))


def make_lanes(market: Market, case: Case, seed: int, number: int) -> list[Lane]:
    """Return lanes of many kinds; the first `number` of them."""
    rng = random.Random(seed)
    made = []
    for place in range(number):
        values = case.settings | {"base": rng.choice((None, "3")), "report": rng.choice((0, 10 * MS))}
        values["latency"] = rng.choice((case.settings["latency"], 0, 5 * MS))
        rules, of_lane = settings_of(values, QUEUE_MODELS[place % 3])
        of_lane = dataclasses.replace(
            of_lane, equity_every=rng.choice((SECOND, 30 * MS)), markouts=rng.choice(((), (0, 90 * MS)))
        )
        table = OrdersTable(table_of(case))
        trader: Trader = Restless(seed + place, rng.choice(WAKES)) if rng.random() < 0.7 else table
        made.append(Lane(BTC, market, trader, rules=rules, settings=of_lane))
    return made


def outcomes(lanes: Sequence[Lane]) -> list[tuple[Any, ...]]:
    """Return all that came of lanes."""
    return [
        (
            lane.digest.hexdigest(),
            lane.rows.samples,
            lane.rows.fills,
            lane.rows.log,
            [(order.number, order.filled, order.sent, order.ended, order.end) for order in lane.rows.orders],
            (lane.account.cash, lane.account.realised, lane.account.start),
            (lane.exchange.broken.size, lane.exchange.broken.through, lane.exchange.broken.traded),
        )
        for lane in lanes
    ]


@given(st.integers(0, 2**32), st.sampled_from(FEEDS))
@settings(max_examples=cases(2_000, 12))
def test_no_lane_can_tell_what_it_was_not_shown(seed: int, feed_order: str) -> None:
    """A lane comes out alike if it is asked about every row, and beside 0, 1 and many others if it is not."""
    case = random_case(seed, feed_order)
    rows = rows_of(case)

    def run(number: int, kind: type[Lanes]) -> list[tuple[Any, ...]]:
        market = Market(OrderBookState(), 1_000_000)
        lanes = make_lanes(market, case, seed, number)
        feed(market, lanes, rows, kind)
        return outcomes(lanes)

    expected = run(9, EveryRow)
    for number in (9, 2, 1):
        assert run(number, Lanes) == expected[:number]


def test_a_first_position_is_valued_at_the_first_mid() -> None:
    """A lane that does nothing still sees the first book with both sides, and no later one."""
    lines: list[Line] = [
        {"t": 1, "row": "snapshot", "bids": [["100", "1"]], "asks": [], "time": 1},
        {"t": 2, "row": "update", "changes": [["ask", "102", "1"]], "time": 2},
        {"t": 3, "row": "update", "changes": [["ask", "101", "1"]], "time": 3},
    ]
    market = Market(OrderBookState(), 1_000_000)
    lane = Lane(BTC, market, OrdersTable([]), settings=LaneSettings(base=2 * UNITS))
    feed(market, [lane], scenario_rows(lines), Lanes)
    assert lane.account.start == 2 * UNITS * 101 * UNITS
