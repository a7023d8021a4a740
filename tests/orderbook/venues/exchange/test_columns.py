"""Frames made of columns are those that the venue's server spells one by one."""

from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.venues.base import Side, TextLevel, TextTrade
from orderbook.venues.columns import LevelColumns, TradeColumns
from orderbook.venues.exchange import columns
from orderbook.venues.exchange.server import ExchangeServer

TIMES = st.integers(0, 2**63 // 1000 - 1)
DECIMALS = st.decimals(min_value="0.00000001", max_value=10**9, places=8).map(lambda number: f"{number:f}")
SIDES = st.sampled_from(["bid", "ask"])
PRODUCTS = st.sampled_from(["BTC-USD", "ETH-USD"])


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(PRODUCTS, TIMES, st.lists(st.tuples(SIDES, DECIMALS, DECIMALS), min_size=1, max_size=5)),
        min_size=1,
        max_size=8,
    )
)
def test_levels(messages: list[tuple[str, int, list[tuple[Side, str, str]]]]) -> None:
    """Updates and snapshots of any levels are spelled as by the server."""
    changes = [change for *_, found in messages for change in found]
    first = [0]
    for *_, found in messages:
        first.append(first[-1] + len(found))
    levels = LevelColumns(
        pa.array([product for product, _, _ in messages]),
        pa.array([time for _, time, _ in messages]),
        pa.array(first, pa.int32()),
        pa.array([side == "bid" for side, _, _ in changes]),
        pa.array([price for _, price, _ in changes]),
        pa.array([size for _, _, size in changes]),
    )
    server = ExchangeServer()
    assert columns.updates(levels).to_pylist() == [
        server.update(product, changes[low:high], time * 1000)
        for (product, time, _), (low, high) in zip(messages, pairwise(first), strict=True)
    ]
    assert columns.snapshots(levels).to_pylist() == [
        server.snapshot(product, of_side(found, "bid"), of_side(found, "ask"), time * 1000)
        for product, time, found in messages
    ]


def of_side(levels: list[tuple[Side, str, str]], side: Side) -> list[TextLevel]:
    """Return the levels of a side, as they are in a snapshot."""
    return [(price, size) for found, price, size in levels if found == side]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(PRODUCTS, TIMES, st.integers(0, 10**18 - 1), SIDES, DECIMALS, DECIMALS),
        min_size=1,
        max_size=9,
    )
)
def test_trades(trades: list[tuple[str, int, int, Side, str, str]]) -> None:
    """Trades are spelled as by the server."""
    product, time, number, side, price, size = (list(each) for each in zip(*trades, strict=True))
    found = TradeColumns(
        pa.array(product),
        pa.array(time),
        pa.array(list(map(str, number))),
        pa.array([each == "bid" for each in side]),
        pa.array(price),
        pa.array(size),
    )
    server = ExchangeServer()
    told = [
        server.trades(product, [TextTrade(number, side, price, size, time * 1000)], 0)[0]
        for product, time, number, side, price, size in trades
    ]
    assert columns.trades(found).to_pylist() == told
