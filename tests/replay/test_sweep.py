"""One pass over the summaries tells for each threshold what a pass of its own would."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.errors import ThresholdError
from orderbook.schema import FLOW_SUMMARY_SCHEMA
from replay import sweep
from replay.sweep import ThresholdStatistics, ThresholdSweep

SECOND = 10**9
START = 1_790_000_000 * SECOND


class Row(NamedTuple):
    """What a sweep reads of a summary."""

    connection: int
    time_ns: int
    spread: float | None


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as the flow carries them."""
    empty: dict[str, object] = dict.fromkeys(FLOW_SUMMARY_SCHEMA.names)
    return pa.RecordBatch.from_pylist(
        [
            empty
            | {
                "seq": seq,
                "connection": row.connection,
                "recv_time": row.time_ns,
                "relative_spread": row.spread,
            }
            for seq, row in enumerate(rows)
        ],
        schema=FLOW_SUMMARY_SCHEMA,
    )


def run(
    thresholds: Sequence[float], rows: Sequence[Row], cuts: Iterable[int] = ()
) -> list[ThresholdStatistics]:
    """Sweep over rows that come in batches cut at `cuts`."""
    ends = [0, *sorted(cuts), len(rows)]
    sweeping = ThresholdSweep(thresholds)
    for start, end in pairwise(ends):
        sweeping.add(to_batch(rows[start:end]))
    return sweeping.finish()


def timeline(*spreads: float | None, connection: int = 0, start: int = START) -> list[Row]:
    """Return one summary a second on one connection."""
    return [Row(connection, start + index * SECOND, spread) for index, spread in enumerate(spreads)]


def brute_force(threshold: float, rows: Sequence[Row]) -> dict[str, object]:
    """Compute one threshold's statistics as the contract words them, row by row."""
    signals: list[float] = []
    durations: list[int] = []
    observed = above = 0
    weighted = Fraction(0)
    inside = False
    for index, row in enumerate(rows):
        previous = rows[index - 1] if index else None
        following = rows[index + 1] if index + 1 < len(rows) else None
        if previous is not None and previous.connection != row.connection:
            inside = False
        interval = 0
        if following is not None and following.connection == row.connection:
            interval = following.time_ns - row.time_ns
        observed += interval
        if row.spread is not None and row.spread > threshold:
            signals.append(row.spread)
            above += interval
            weighted += Fraction(round(row.spread * 1e12), 10**12) * interval
            if not inside:
                durations.append(0)
            durations[-1] += interval
            inside = True
        else:
            inside = False
    floats = np.array(durations, np.float64)
    return {
        "threshold": threshold,
        "signals": len(signals),
        "episodes": len(durations),
        "time_above_s": above / 1e9,
        "observed_s": observed / 1e9,
        "share": above / observed if observed else None,
        "duration_p50_s": np.percentile(floats, 50) / 1e9 if durations else None,
        "duration_p95_s": np.percentile(floats, 95) / 1e9 if durations else None,
        "duration_max_s": max(durations) / 1e9 if durations else None,
        "mean_relative_spread": float(weighted / above) if above else None,
        "max_relative_spread": max(signals) if signals else None,
    }


GRID = [0.0, 0.0001, 0.001, 0.0015, 0.002, 0.007, 0.5]
SPREADS = (
    st.none()
    | st.sampled_from([-0.001, 1e-12, math.nan, *GRID])
    | st.floats(-0.01, 0.999).map(lambda spread: float(np.rint(spread * 1e12) / 1e12))
)
GAPS = st.just(0) | st.integers(0, 5) | st.integers(0, 10**10) | st.integers(0, 10**15)
THRESHOLDS = st.lists(st.sampled_from(GRID) | st.floats(0, 1), max_size=8)


@st.composite
def tapes(draw: st.DrawFn) -> list[Row]:
    """Draw the summaries of several connections, with equal times, nulls and levels that jump."""
    rows: list[Row] = []
    time = START
    connection = 0
    for gap, spread, reconnect in draw(st.lists(st.tuples(GAPS, SPREADS, st.integers(0, 9)), max_size=60)):
        time += gap
        connection += reconnect == 0
        rows.append(Row(connection, time, spread))
    return rows


@given(tapes(), THRESHOLDS, st.data())
def test_equals_brute_force(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Every number equals that of a plain loop for one threshold, to the last bit."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    result = run(thresholds, rows, cuts)
    assert [asdict(each) for each in result] == [brute_force(t, rows) for t in dict.fromkeys(thresholds)]


@given(tapes(), THRESHOLDS, st.data())
def test_batches_leave_no_trace(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Results are the same bit for bit in one batch, in pieces of any size, and with batches cut inside."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    whole = repr(run(thresholds, rows))
    assert repr(run(thresholds, rows, cuts)) == whole
    assert repr(run(thresholds, rows, range(len(rows)))) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_MAX_ROWS", 3)
        assert repr(run(thresholds, rows)) == whole


@given(tapes(), THRESHOLDS)
def test_thresholds_do_not_touch_each_other(rows: list[Row], thresholds: list[float]) -> None:
    """A threshold's numbers are the same bit for bit alone and among others."""
    alone = [run([threshold], rows)[0] for threshold in dict.fromkeys(thresholds)]
    assert repr(run(thresholds, rows)) == repr(alone)


@given(tapes(), THRESHOLDS, st.data())
def test_finish_changes_nothing(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """A sweep may tell what it has so far and go on as if nobody had asked."""
    middle = data.draw(st.integers(0, len(rows)))
    sweeping = ThresholdSweep(thresholds)
    sweeping.add(to_batch(rows[:middle]))
    assert sweeping.finish() == sweeping.finish() == run(thresholds, rows[:middle])
    sweeping.add(to_batch(rows[middle:]))
    assert sweeping.finish() == run(thresholds, rows)


def test_one_episode() -> None:
    """An episode lasts from its first summary above to the first one that is not."""
    [result] = run([0.001], timeline(0.0, 0.002, 0.004, 0.0, 0.0))
    assert result == ThresholdStatistics(
        threshold=0.001,
        signals=2,
        episodes=1,
        time_above_s=2.0,
        observed_s=4.0,
        share=0.5,
        duration_p50_s=2.0,
        duration_p95_s=2.0,
        duration_max_s=2.0,
        mean_relative_spread=0.003,
        max_relative_spread=0.004,
    )


def test_equal_is_not_above() -> None:
    """A spread of exactly the threshold is no signal, the next float above it is."""
    rows = timeline(0.001, 0.001, float(np.nextafter(0.001, 1)), 0.001)
    assert [(each.signals, each.episodes, each.time_above_s) for each in run([0.001], rows)] == [(1, 1, 1.0)]


def test_crossed_locked_and_one_sided_books_are_never_above() -> None:
    """Not even a threshold of 0 counts them, though their time is observed."""
    [result] = run([0.0], timeline(None, 0.0, -0.001, math.nan, None))
    assert (result.signals, result.time_above_s, result.observed_s, result.share) == (0, 0.0, 4.0, 0.0)
    assert (result.episodes, result.duration_max_s, result.mean_relative_spread) == (0, None, None)


def test_nothing_spans_an_interruption() -> None:
    """An hour between two connections is neither observed nor above, and ends the episode."""
    rows = timeline(0.002, 0.002) + timeline(0.002, 0.002, 0.002, connection=1, start=START + 3600 * SECOND)
    [result] = run([0.001], rows)
    assert (result.episodes, result.time_above_s, result.observed_s) == (2, 3.0, 3.0)
    assert (result.duration_p50_s, result.duration_max_s) == (1.5, 2.0)


def test_an_episode_may_have_no_duration() -> None:
    """A last summary above opens no interval: an episode of 0 s, and a mean over no time is null."""
    [result] = run([0.001], timeline(0.0, 0.002))
    assert (result.signals, result.episodes, result.duration_max_s, result.time_above_s) == (1, 1, 0.0, 0.0)
    assert (result.mean_relative_spread, result.max_relative_spread) == (None, 0.002)


def test_steady_spread_is_its_own_mean() -> None:
    """The mean of one spread is that spread exactly, over times whose products no float64 can hold."""
    spread = 0.003333333333
    rows = [Row(0, START + index**3 * 12_345_678_901, spread) for index in range(500)]
    [result] = run([0.001], rows)
    assert result.mean_relative_spread == result.max_relative_spread == spread


def test_sums_larger_than_an_int64() -> None:
    """Many large batches of wide spreads over centuries still add up exactly."""
    century = 3 * 10**18
    rows = 65_536
    times = np.linspace(0, century, rows).astype(np.int64)
    spreads = np.where(np.arange(rows) % 2, 0.999999999999, 0.999999999997)
    unused = pa.nulls(rows, pa.float64())
    columns = {
        "seq": pa.array(np.arange(rows)),
        "recv_time": pa.array(times).cast(pa.timestamp("ns", "UTC")),
        "exchange_time": pa.nulls(rows, pa.timestamp("ns", "UTC")),
        **dict.fromkeys(["bid_price", "bid_size", "ask_price", "ask_size", "spread"], unused),
        "relative_spread": pa.array(spreads),
        "connection": pa.array(np.zeros(rows, np.int32)),
    }
    intervals = np.diff(times).tolist()
    weighted = sum(
        units * interval
        for units, interval in zip(np.rint(spreads * 1e12).astype(np.int64).tolist(), intervals, strict=False)
    )
    sweeping = ThresholdSweep([0.5])
    sweeping.add(pa.RecordBatch.from_pydict(columns, schema=FLOW_SUMMARY_SCHEMA))
    assert sweeping.finish()[0].mean_relative_spread == weighted / (10**12 * sum(intervals))


def test_order_and_duplicates() -> None:
    """Statistics come in the order in which the thresholds were given, a repeated one once."""
    results = run([0.003, 0.001, 0.003, 0.0, -0.0, 0.001], timeline(0.002, 0.004, 0.0))
    assert [(each.threshold, each.signals) for each in results] == [(0.003, 1), (0.001, 2), (0.0, 2)]


def test_without_summaries() -> None:
    """A product without summaries has zeros where something is counted, and null elsewhere."""
    sweeping = ThresholdSweep([0.001])
    sweeping.add(to_batch([]))
    [result] = sweeping.finish()
    values = set(asdict(result).values())
    assert values == {0.001, 0, None}
    assert ThresholdSweep([]).finish() == []


@pytest.mark.parametrize("threshold", [-0.001, math.nan, math.inf])
def test_thresholds_that_are_none(threshold: float) -> None:
    """A threshold is finite and never negative: crossed books rely on it."""
    with pytest.raises(ThresholdError, match="is not a threshold"):
        ThresholdSweep([0.001, threshold])
