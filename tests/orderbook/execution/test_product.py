"""A product with lanes: the book of a replay, any batches, and simulated fills against known real ones."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from orderbook.engine import PlainEngine
from orderbook.execution.lane import Lane
from orderbook.execution.latency import FixedLatency
from orderbook.execution.market import Market
from orderbook.execution.numbers import order_units
from orderbook.execution.orders import Order
from orderbook.execution.product import ProductLanes
from orderbook.execution.settings import Fees, LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable, TableRow
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.constants import BTC, CAPTURES
from tests.support.execution_captures import real_orders
from tests.support.market_truth import FEED_KINDS, FeedKind, RealOrder, TrueMarket, true_market
from tests.support.oracle import Row
from tests.support.rows import cut, to_batch

TICK = 100_000_000
CENT = 1_000_000
SETTINGS = LaneSettings(fees=Fees(0, 0), latency=FixedLatency(0), markouts=())


def copies(market: TrueMarket, cuts: Sequence[int] = ()) -> tuple[ProductLanes, list[Order], list[str]]:
    """Send each real order again, each in a lane of its own.

    Returns:
        The product after the tape, the copies in the order of the real ones, the digests of the lanes.
    """

    def lane(of: Market, real: RealOrder) -> Lane:
        size = f"{real.size / 10**8:.8f}"
        rows = [TableRow(real.sent, "limit", "copy", real.side, real.price, size)]
        if real.cancelled is not None:
            rows.append(TableRow(real.cancelled, "cancel", "copy"))
        return Lane(BTC, of, OrdersTable(rows), rules=ProductRules(TICK), settings=SETTINGS)

    state = PlainEngine().start(BTC, market.feed)
    lanes = ProductLanes(state, TICK, lambda of: [lane(of, real) for real in market.orders], at_once=True)
    for batch in cut(market.rows, cuts):
        lanes.step(batch)
    lanes.finish()
    orders = [order for each in lanes.lanes for order in each.rows.orders]
    return lanes, orders, [each.digest.hexdigest() for each in lanes.lanes]


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("kind", FEED_KINDS)
def test_real_fills_lie_between_the_bounds(kind: FeedKind) -> None:
    """Of every order: filled under `back` <= really filled <= filled under `front`."""
    known = violations = filled = 0
    for seed in range(cases(100, 5)):
        market = true_market(kind, seed)
        _, orders, _ = copies(market)
        assert len(orders) == len(market.orders)
        for order, real in zip(orders, market.orders, strict=True):
            known += 1
            filled += real.filled > 0
            violations += not order.filled["back"] <= real.filled <= order.filled["front"]
    report(kind, orders=known, really_filled=filled, outside=violations)
    assert known > 900
    assert filled > 100
    assert violations == 0


REAL = {"ETH": 89, "ETH-batch55-late250": 78, "LTC": 242, "LTC-batch55-late250": 184}


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"the real captures are not here: {CAPTURES}")
@pytest.mark.parametrize("name", REAL)
def test_fills_of_real_orders_lie_between_the_bounds(name: str) -> None:
    """Of every order of a real market, sent again: under `back` <= really filled <= under `front`."""
    product, orders = f"{name[:3]}-USD", real_orders(CAPTURES / f"l3-2018-03-{name}.orders.json")

    def lane(of: Market, real: dict[str, Any]) -> Lane:
        rows = [
            TableRow(real["open"] - 1, "limit", "copy", real["side"], real["price"], real["size"]),
            TableRow(real["done"], "cancel", "copy"),
        ]
        return Lane(product, of, OrdersTable(rows), rules=ProductRules(CENT), settings=SETTINGS)

    state = PlainEngine().start(product, "exchange")
    lanes = ProductLanes(state, CENT, lambda of: [lane(of, real) for real in orders], at_once=True)
    with gzip.open(CAPTURES / f"l3-2018-03-{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    lanes.step(
        to_batch([Row(n, each["recv_ns"], 0, "frame", each["frame"]) for n, each in enumerate(records)])
    )
    lanes.finish()
    copied = [order for each in lanes.lanes for order in each.rows.orders]
    assert len(copied) == len(orders) == REAL[name]
    errors = widths = 0.0
    for order, real in zip(copied, orders, strict=True):
        filled = order_units(real["filled"]) if float(real["filled"]) else 0
        assert order.filled["back"] <= filled <= order.filled["front"]
        errors += abs(order.filled["share"] - filled) / order.size
        widths += (order.filled["front"] - order.filled["back"]) / order.size
    report(name, orders=REAL[name], error=errors / REAL[name], width=widths / REAL[name])


def test_batches_do_not_matter() -> None:
    """The book is that of a replay, and every lane's execution digest the same, however rows are cut."""
    market = true_market("level2_batch", 1)
    lanes, _, digests = copies(market)
    assert lanes.watch.gaps == 0
    for cuts in ([50], [1, 2, 3, 100, 200], list(range(0, len(market.rows), 7))):
        assert copies(market, cuts)[2] == digests
    (batch,) = cut(market.rows, [])
    engine = PlainEngine()
    _, expected = engine.step(engine.start(BTC, market.feed), batch)
    step = ProductLanes(engine.start(BTC, market.feed), TICK, lambda _: []).step(batch)
    assert step.summaries == expected.summaries
    assert step.anomalies == expected.anomalies


def test_lanes_begin_with_the_first_summary() -> None:
    """A strategy is made once its product has a book, in the part of the tape to trade on."""
    market = true_market("level2", 2, batches=20)
    made: list[int] = []

    def make(of: Market) -> list[Lane]:
        made.append(of.seq)
        return [Lane(BTC, of, OrdersTable([]), rules=ProductRules(TICK), settings=SETTINGS)]

    first, rest = cut(market.rows, [1])
    lanes = ProductLanes(PlainEngine().start(BTC, market.feed), TICK, make)
    lanes.step(first)
    assert made == []
    lanes.step(rest)
    assert made == [0]
    lanes = ProductLanes(PlainEngine().start(BTC, market.feed), TICK, make)
    before, inside = cut(market.rows, [10])
    lanes.prepare(before)
    assert made == [0]
    lanes.step(inside)
    assert made[1] >= 9
