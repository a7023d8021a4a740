"""Summaries of one product, random or from a list of spreads, and sweeps over them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from orderbook.schema import FLOW_SUMMARY_SCHEMA
from replay.comparing.metrics import By
from replay.comparing.sweep.statistics import SweepResult, ThresholdStatistics
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from tests.support.constants import SECOND
from tests.support.naive_sweep import Row

START = 1_790_000_000 * SECOND
HORIZONS = {"100ms": SECOND // 10, "1s": SECOND, "1h": 3600 * SECOND}


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a batch of summaries."""
    return pa.RecordBatch.from_pylist(
        [
            {
                "seq": seq,
                "connection": row.connection,
                "recv_time": row.time_ns,
                "exchange_time": None,
                "bid_price": row.bid,
                "bid_size": row.bid_size,
                "ask_price": row.ask,
                "ask_size": row.ask_size,
                "spread": None if row.ask is None or row.bid is None else row.ask - row.bid,
                "relative_spread": row.spread,
            }
            for seq, row in enumerate(rows)
        ],
        schema=FLOW_SUMMARY_SCHEMA,
    )


def sweep_over(
    thresholds: Sequence[float],
    rows: Sequence[Row],
    cuts: Iterable[int] = (),
    fee: float | None = None,
    by: By | None = None,
) -> ThresholdSweep:
    """Return a sweep over rows, in batches cut before the rows at `cuts`."""
    ends = [0, *sorted(cuts), len(rows)]
    sweep = ThresholdSweep(thresholds, tuple(HORIZONS.values()), fee, by)
    for start, end in pairwise(ends):
        sweep.add(to_batch(rows[start:end]))
    return sweep


def run(
    thresholds: Sequence[float], rows: Sequence[Row], cuts: Iterable[int] = ()
) -> list[ThresholdStatistics]:
    """Return the statistics of each threshold over all rows."""
    return sweep_over(thresholds, rows, cuts).finish()[-1].statistics


def timeline(*spreads: float | None, connection: int = 0, start: int = START) -> list[Row]:
    """Return one summary a second on one connection, with these spreads at an ask of 1000."""
    bids = [None if spread is None else 1000 - 1000 * spread for spread in spreads]
    return [
        Row(connection, start + index * SECOND, bid, None if bid is None else 1.0, 1000.0, 2.0)
        for index, bid in enumerate(bids)
    ]


GRID = [0.0, 0.0001, 0.001, 0.0015, 0.002, 0.007, 0.5]
TICKS = st.integers(1, 30).map(float) | st.integers(9900, 10100).map(lambda ticks: ticks / 100)
SIZES = st.sampled_from([1.0, 0.5, 1e-8, 3e9, 9e17]) | st.floats(0, 1e6)
TOPS = (
    st.tuples(TICKS, SIZES, TICKS, SIZES)
    | st.tuples(st.sampled_from([99.0, 99.9, 99.99]), SIZES, st.just(100.0), SIZES)
    | st.sampled_from([(99.0, 1.0, None, None), (None, None, 100.0, 1.0), (1e10, 1e18, 1e-8, 1e18)])
)
GAPS = (
    st.just(0)
    | st.integers(0, 5)
    | st.sampled_from([SECOND // 10, SECOND])
    | st.integers(0, 10**10)
    | st.integers(0, 10**14)
)
THRESHOLDS = st.lists(st.sampled_from(GRID) | st.floats(0, 1), max_size=8)


@st.composite
def summary_rows(draw: st.DrawFn) -> list[Row]:
    """Draw the summaries of several connections: equal times, long gaps, empty sides and crossed books."""
    rows: list[Row] = []
    time = START
    connection = 0
    for gap, top, reconnect in draw(st.lists(st.tuples(GAPS, TOPS, st.integers(0, 9)), max_size=25)):
        time += gap
        connection += reconnect == 0
        rows.append(Row(connection, time, *top))
    return rows


def rows_of(results: Iterable[SweepResult]) -> list[list[dict[str, object]]]:
    """Return each result as the rows of a table."""
    return [[each.row() for each in result.statistics] for result in results]


def assert_equal(found: dict[str, object], wanted: dict[str, Any]) -> None:
    """Assert that numbers are equal, to the last bit except for the standard errors."""
    for name, value in wanted.items():
        if name.endswith("standard_error_bps") and value is not None:
            assert found[name] == pytest.approx(value, rel=1e-12, abs=0), name
        else:
            assert found[name] == value, name
    assert found.keys() == wanted.keys()
