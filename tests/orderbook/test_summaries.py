"""Summaries as columns and as objects, and the one formula of the relative spread."""

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from orderbook.schema import FLOW_SUMMARY_SCHEMA
from orderbook.summaries import OrderBookSummary, PackedSummaries, SummaryColumns, Top, relative_spread

PRICES = st.none() | st.floats(1e-8, 1e10, allow_nan=False)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9, allow_nan=False), st.floats(1e-8, 1e10)) | st.none()))
def test_relative_spread_is_one_formula(values: list[tuple[float, float] | None]) -> None:
    """`rint(spread / ask * 1e12) / 1e12` with IEEE doubles, value by value; null stays null."""
    spreads, asks = ([None if each is None else each[n] for each in values] for n in (0, 1))
    found = relative_spread(pa.array(spreads, pa.float64()), pa.array(asks, pa.float64())).to_pylist()
    expected = [None if each is None else round(each[0] / each[1] * 1e12) / 1e12 for each in values]
    assert found == expected


@given(st.lists(st.tuples(PRICES, PRICES)))
def test_columns_and_objects_hold_the_same(sides: list[tuple[float | None, float | None]]) -> None:
    """An object has the values of its row; an empty side has no price, no size and no spread."""
    columns = SummaryColumns()
    for seq, (bid, ask) in enumerate(sides):
        spread = None if bid is None or ask is None else ask - bid
        columns.add(seq, 10**18 + seq, None if seq % 2 else seq, 0, Top(bid, bid, ask, ask, spread))
    batch = columns.to_batch()
    assert batch.schema == FLOW_SUMMARY_SCHEMA
    assert PackedSummaries.of(batch).batch.equals(batch)  # as the compiled engine makes its columns
    for seq, (summary, (bid, ask)) in enumerate(zip(OrderBookSummary.from_batch(batch), sides, strict=True)):
        assert (summary.seq, summary.recv_time) == (seq, 10**18 + seq)
        assert summary.exchange_time == (None if seq % 2 else seq)
        assert (summary.bid_price, summary.bid_size, summary.ask_price) == (bid, bid, ask)
        assert (summary.spread is None) == (summary.relative_spread is None) == (bid is None or ask is None)
        assert summary.relative_spread is None or math.isfinite(summary.relative_spread)
