"""One pass over the summaries tells for each threshold what a pass of its own would."""

import math
import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.errors import ThresholdError
from orderbook.schema import FLOW_SUMMARY_SCHEMA
from replay.sweep import bins, durations, episodes, exact, spread_times
from replay.sweep import sweeping as sweeping_module
from replay.sweep.loops import ARRAYS, Loops, loops_of
from replay.sweep.parts import By
from replay.sweep.results import SweepResult, ThresholdStatistics
from replay.sweep.sweeping import ThresholdSweep
from tests.replay.sweep import naive
from tests.replay.sweep.naive import Row

SECOND = 10**9
START = 1_790_000_000 * SECOND
HORIZONS = {"100ms": SECOND // 10, "1s": SECOND, "1h": 3600 * SECOND}


@pytest.fixture(scope="module", autouse=True)
def _each_batch_by_itself() -> Iterator[None]:
    """Let no rows wait for more: the batches are small here, and their cuts are what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping_module, "ENOUGH_ROWS", 1)
        yield


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as the flow carries them."""
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
    loops: Loops = ARRAYS,
) -> ThresholdSweep:
    """Return a sweep over rows that come in batches cut at `cuts`."""
    ends = [0, *sorted(cuts), len(rows)]
    sweeping = ThresholdSweep(thresholds, tuple(HORIZONS.values()), fee, by, loops)
    for start, end in pairwise(ends):
        sweeping.add(to_batch(rows[start:end]))
    return sweeping


def run(
    thresholds: Sequence[float], rows: Sequence[Row], cuts: Iterable[int] = ()
) -> list[ThresholdStatistics]:
    """Return the statistics of the whole."""
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
def tapes(draw: st.DrawFn) -> list[Row]:
    """Draw the summaries of several connections, with equal times, empty sides, crossed books, far jumps."""
    rows: list[Row] = []
    time = START
    connection = 0
    for gap, top, reconnect in draw(st.lists(st.tuples(GAPS, TOPS, st.integers(0, 9)), max_size=25)):
        time += gap
        connection += reconnect == 0
        rows.append(Row(connection, time, *top))
    return rows


def rows_of(results: Iterable[SweepResult]) -> list[list[dict[str, object]]]:
    """Return the rows of results."""
    return [[each.row() for each in result.statistics] for result in results]


def assert_equal(found: dict[str, object], wanted: dict[str, Any]) -> None:
    """Insist on the same numbers, to the last bit but for what goes through a square root."""
    for name, value in wanted.items():
        if name.endswith("standard_error_bps") and value is not None:
            assert found[name] == pytest.approx(value, rel=1e-12, abs=0), name
        else:
            assert found[name] == value, name
    assert found.keys() == wanted.keys()


@settings(deadline=None)
@given(tapes(), THRESHOLDS, st.none() | st.sampled_from([0.0, 0.00005, 0.00075, 0.1]), st.data())
def test_equals_brute_force(
    rows: list[Row], thresholds: list[float], fee: float | None, data: st.DataObject
) -> None:
    """Every number equals that of a plain loop for one threshold."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episodes, "_FEW", data.draw(st.sampled_from([0, 32])))
        [result] = sweep_over(thresholds, rows, cuts, fee).finish()
    asked = list(dict.fromkeys(thresholds))
    for found, threshold in zip(result.statistics, asked, strict=True):
        assert_equal(found.row(), naive.numbers(threshold, rows, HORIZONS, fee))
    assert result.spread.document() == naive.quantiles(rows)
    assert result.observed_ns == sum(naive.opened(rows, naive.WHOLE))
    assert result.crossed == sum(
        row.bid is not None and row.ask is not None and row.bid > row.ask for row in rows
    )


@settings(deadline=None, max_examples=40)
@given(tapes(), THRESHOLDS, st.sampled_from(["hour", "day", "connection"]))
def test_parts_equal_brute_force(rows: list[Row], thresholds: list[float], by: By) -> None:
    """Every number of every part does too, and the whole is what it is without parts."""
    *parts, whole = sweep_over(thresholds, rows, by=by, fee=0.0005).finish()
    assert repr(whole) == repr(sweep_over(thresholds, rows, fee=0.0005).finish()[0])
    for result in parts:
        assert result.part is not None
        period = {"hour": 3600, "day": 86400}.get(by, 0) * SECOND
        part = naive.clock_part(result.part, period) if period else naive.connection_part(result.part)
        for found in result.statistics:
            assert_equal(found.row(), naive.numbers(found.threshold, rows, HORIZONS, 0.0005, part))
        assert result.spread.document() == naive.quantiles(rows, part)
    assert sum(result.observed_ns for result in parts) == whole.observed_ns
    if rows and by == "connection":
        assert [result.part for result in parts] == sorted({row.connection for row in rows})


@settings(deadline=None, max_examples=40)
@given(tapes(), THRESHOLDS, st.data())
def test_batches_leave_no_trace(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Results are the same bit for bit in one batch, in pieces of any size, and with batches cut inside."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    whole = repr(run(thresholds, rows))
    assert repr(run(thresholds, rows, cuts)) == whole
    assert repr(run(thresholds, rows, range(len(rows)))) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping_module, "ENOUGH_ROWS", 5)
        assert repr(run(thresholds, rows, cuts)) == whole
        patch.setattr(exact, "MAX_ROWS", 3)
        assert repr(run(thresholds, rows)) == whole
        patch.setattr(exact, "MAX_ROWS", 65_536)
        patch.setattr(episodes, "_FEW", 0)
        assert repr(run(thresholds, rows)) == whole


@settings(deadline=None)
@given(tapes(), THRESHOLDS, st.sampled_from([None, "hour", "connection"]), st.booleans(), st.data())
def test_merge(
    rows: list[Row], thresholds: list[float], by: By | None, few: bool, data: st.DataObject
) -> None:
    """Adjacent parts, merged in any order, give what the whole gives, bit for bit: cut wherever it may be."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), min_size=1, max_size=6))
    ends = [0, *sorted(cuts), len(rows)]
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(durations, "MAX_EXACT", 5)
            patch.setattr(episodes, "_FEW", 0)
            patch.setattr(spread_times, "MAX_DISTINCT", 3)
        whole = sweep_over(thresholds, rows, by=by, fee=0.0005).finish()
        sweeps = [sweep_over(thresholds, rows[low:high], by=by, fee=0.0005) for low, high in pairwise(ends)]
        while len(sweeps) > 1:
            at = data.draw(st.integers(0, len(sweeps) - 2))
            sweeps[at].merge(sweeps.pop(at + 1))
        assert repr(sweeps[0].finish()) == repr(whole)


@settings(deadline=None)
@given(tapes(), THRESHOLDS, st.sampled_from([None, "hour", "connection"]), st.data())
def test_compiled_loops_give_the_same(
    rows: list[Row], thresholds: list[float], by: By | None, data: st.DataObject
) -> None:
    """With compiled loops every number is that of numpy to the last bit, merged sweeps and cuts included."""
    pytest.importorskip("numba")
    ends = [0, *sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4))), len(rows)]
    found = []
    for loops in (ARRAYS, loops_of("compiled")):
        first, *others = (
            sweep_over(thresholds, rows[low:high], fee=0.0005, by=by, loops=loops)
            for low, high in pairwise(ends)
        )
        for later in others:
            first.merge(pickle.loads(pickle.dumps(later)))  # noqa: S301  our own
        found.append(repr(first.finish()))
    assert found[0] == found[1]


@settings(deadline=None, max_examples=40)
@given(tapes(), tapes(), THRESHOLDS)
def test_merge_of_two_tapes(first: list[Row], second: list[Row], thresholds: list[float]) -> None:
    """Two tapes add up, and nothing spans both: as if their connections had numbers of their own."""
    merged = sweep_over(thresholds, first)
    merged.merge(sweep_over(thresholds, second), is_adjacent=False)
    joined = [*first, *(row._replace(connection=row.connection + 1000) for row in second)]
    for found, threshold in zip(merged.finish()[-1].statistics, dict.fromkeys(thresholds), strict=True):
        assert_equal(found.row(), naive.numbers(threshold, joined, HORIZONS))


def test_merge_of_others() -> None:
    """Sweeps that ask for other things cannot be merged."""
    for other in (ThresholdSweep([0.1], (1,)), ThresholdSweep([0.2]), ThresholdSweep([0.1], by="hour")):
        with pytest.raises(ThresholdError, match="ask for the same"):
            ThresholdSweep([0.1]).merge(other)


@settings(deadline=None, max_examples=40)
@given(tapes(), THRESHOLDS)
def test_thresholds_do_not_touch_each_other(rows: list[Row], thresholds: list[float]) -> None:
    """A threshold's numbers are the same bit for bit alone and among others."""
    alone = [run([threshold], rows)[0] for threshold in dict.fromkeys(thresholds)]
    assert repr(run(thresholds, rows)) == repr(alone)


@settings(deadline=None, max_examples=40)
@given(tapes(), THRESHOLDS, st.data())
def test_finish_changes_nothing(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """A sweep may tell what it has so far and go on as if nobody had asked."""
    middle = data.draw(st.integers(0, len(rows)))
    sweeping = sweep_over(thresholds, rows[:middle])
    assert sweeping.finish() == sweeping.finish() == sweep_over(thresholds, rows[:middle]).finish()
    sweeping.add(to_batch(rows[middle:]))
    assert sweeping.finish() == sweep_over(thresholds, rows).finish()


def test_one_episode() -> None:
    """An episode lasts from its first summary above to the first one that is not."""
    [result] = run([0.001], timeline(0.0, 0.002, 0.004, 0.0, 0.0))
    assert (result.signals, result.episodes, result.time_above_s, result.observed_s) == (2, 1, 2.0, 4.0)
    assert (result.share, result.signals_per_hour, result.episodes_per_hour) == (0.5, 1800.0, 900.0)
    assert (result.duration_p50_s, result.duration_p95_s, result.duration_max_s) == (2.0, 2.0, 2.0)
    assert (result.mean_relative_spread, result.max_relative_spread) == (0.003, 0.004)
    assert (result.mean_bid_size, result.mean_ask_size, result.mean_touch_value) == (1.0, 2.0, 997.0)


def test_mark_out_is_of_the_mid_at_the_horizon() -> None:
    """From a mid of 999 to that of the last summary a second later; an hour later nothing is known."""
    [result] = run([0.001], timeline(0.0, 0.002, 0.004, 0.0))
    tenth, second, hour = result.markouts
    assert (tenth.episodes, tenth.mean_bps, tenth.standard_error_bps) == (1, 0.0, None)
    assert (second.episodes, second.mean_bps, second.mean_abs_bps) == (1, -10.01001, 10.01001)
    assert (hour.episodes, hour.left_out, hour.mean_bps) == (0, 1, None)


def test_fee_of_both_sides() -> None:
    """Of 3 bps and 1 bp above, less 2 fees of 1 bp; a third of the observed time earns more than the fees."""
    [result] = sweep_over([0.00005], timeline(0.0003, 0.0001, 0.0, 0.0), fee=0.0001).finish()
    [entry] = result.statistics
    assert entry.mean_net_spread_bps == pytest.approx(0.0, abs=1e-12)
    assert entry.net_positive_share == 1 / 3


def test_equal_is_not_above() -> None:
    """A spread of exactly the threshold is no signal, the next one above it is."""
    rows = timeline(0.001, 0.001, 0.001000000001, 0.001)
    assert [(each.signals, each.episodes, each.time_above_s) for each in run([0.001], rows)] == [(1, 1, 1.0)]


def test_crossed_locked_and_one_sided_books_are_never_above() -> None:
    """Not even a threshold of 0 counts them, though their time is observed."""
    [result] = run([0.0], timeline(None, 0.0, -0.001, None, None))
    assert (result.signals, result.time_above_s, result.observed_s, result.share) == (0, 0.0, 4.0, 0.0)
    assert (result.episodes, result.duration_max_s, result.mean_relative_spread) == (0, None, None)


def test_nothing_spans_an_interruption() -> None:
    """An hour between two connections is not observed; episodes and mark-outs end there."""
    rows = timeline(0.002, 0.002) + timeline(0.002, 0.002, 0.002, connection=1, start=START + 3600 * SECOND)
    [result] = run([0.001], rows)
    assert (result.episodes, result.time_above_s, result.observed_s) == (2, 3.0, 3.0)
    assert (result.duration_p50_s, result.duration_max_s) == (1.5, 2.0)
    assert [(each.episodes, each.left_out) for each in result.markouts] == [(2, 0), (2, 0), (0, 2)]


def test_an_interval_is_cut_at_the_hour() -> None:
    """From ten to until ten past: ten minutes in each hour, the signal and the episode in the first."""
    hour = START - START % (3600 * SECOND)
    rows = [
        Row(0, hour - 600 * SECOND, 99.0, 1.0, 100.0, 1.0),
        Row(0, hour + 600 * SECOND, 100.0, 1.0, 100.0, 1.0),
    ]
    first, second, _ = sweep_over([0.001], rows, by="hour").finish()
    assert (first.part, second.part) == (hour - 3600 * SECOND, hour)
    found = [
        (each.signals, each.episodes, each.time_above_s) for each in first.statistics + second.statistics
    ]
    assert found == [(1, 1, 600.0), (0, 0, 600.0)]
    assert first.statistics[0].duration_max_s == 1200.0


def test_an_episode_may_have_no_duration() -> None:
    """A last summary above opens no interval: an episode of 0 s, and a mean over no time is null."""
    [result] = run([0.001], timeline(0.0, 0.002))
    assert (result.signals, result.episodes, result.duration_max_s, result.time_above_s) == (1, 1, 0.0, 0.0)
    assert (result.mean_relative_spread, result.max_relative_spread) == (None, 0.002)


def test_steady_book_is_its_own_mean() -> None:
    """The means of one book are its own exactly, over times whose products no float64 can hold."""
    rows = [
        Row(0, START + index**3 * 12_345_678_901, 999.7, 0.12345678, 1003.1, 7e17) for index in range(500)
    ]
    [result] = run([0.001], rows)
    assert result.mean_relative_spread == result.max_relative_spread == rows[0].spread
    assert (result.mean_bid_size, result.mean_ask_size) == (0.12345678, 7e17)


@pytest.mark.parametrize("size", [1e17, 4e10])
@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_sums_larger_than_an_int64(engine: str, size: float) -> None:
    """Wide spreads and large sizes over centuries still add up exactly."""
    if engine == "compiled":
        pytest.importorskip("numba")
    century = 3 * 10**18
    times = np.linspace(0, century, 65_536).astype(np.int64).tolist()
    rows = [
        Row(0, time, (1.0, 3.0)[index % 2] * 1e-8, size + index * 64.0, 1e4, size)
        for index, time in enumerate(times)
    ]
    result = sweep_over([0.5], rows, loops=loops_of(engine)).finish()[-1].statistics[0]
    intervals = np.diff(times).tolist()
    spreads = [round((row.spread or 0) * 1e12) for row in rows[:-1]]
    weighted = sum(units * interval for units, interval in zip(spreads, intervals, strict=True))
    assert result.mean_relative_spread == weighted / (10**12 * sum(intervals))
    sizes = [round((row.bid_size or 0) * 1e8) for row in rows[:-1]]
    weighted = sum(units * interval for units, interval in zip(sizes, intervals, strict=True))
    assert result.mean_bid_size == weighted / (10**8 * sum(intervals))


def test_many_episodes_are_within_one_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound percentiles are off by less than 1 % and it is said; the longest is still exact."""
    random = np.random.default_rng(7)
    gaps = np.rint(10 ** random.uniform(0, 12, 2000)).astype(np.int64)
    levels = random.choice([0.0, 0.001, 0.002, 0.003], 2000).tolist()
    rows = [
        row._replace(time_ns=START + int(time))
        for row, time in zip(timeline(*levels), np.cumsum(gaps), strict=True)
    ]
    thresholds = [0.0, 0.0005, 0.0015, 0.0025]
    wanted = run(thresholds, rows)
    assert all(each.durations_exact for each in wanted)
    monkeypatch.setattr(durations, "MAX_EXACT", 100)
    monkeypatch.setattr(durations, "_MAX_CELLS", 1000)
    found = run(thresholds, rows)
    for approximate, right in zip(found, wanted, strict=True):
        assert not approximate.durations_exact
        assert approximate.duration_p50_s == pytest.approx(right.duration_p50_s, rel=0.01)
        assert approximate.duration_p95_s == pytest.approx(right.duration_p95_s, rel=0.01)
        assert (approximate.duration_max_s, approximate.episodes) == (right.duration_max_s, right.episodes)
    assert wanted[0].duration_p50_s != found[0].duration_p50_s


def test_many_spreads_are_within_one_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the quantiles come from a histogram, say so, and are off by less than 1 %."""
    spreads = np.random.default_rng(7).lognormal(-8, 1, 3000).tolist()
    exactly = sweep_over([0.1], timeline(*spreads)).finish()[0].spread
    monkeypatch.setattr(spread_times, "MAX_DISTINCT", 100)
    binned = sweep_over([0.1], timeline(*spreads)).finish()[0].spread
    assert (exactly.quantiles_exact, binned.quantiles_exact) == (True, False)
    assert binned.quantiles != exactly.quantiles
    assert binned.quantiles == pytest.approx(exactly.quantiles, rel=0.01)


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sweep keeps after three times the summaries is not more."""
    for module, name in ((durations, "MAX_EXACT"), (spread_times, "MAX_DISTINCT"), (bins, "_WAITING")):
        monkeypatch.setattr(module, name, 500)
    random = np.random.default_rng(7)
    sweeping = ThresholdSweep([0.0, 0.0005, 0.0015, 0.0025], (SECOND, 60 * SECOND))
    sizes = []
    for block in range(40):
        spreads = random.uniform(0, 0.003, 1000).tolist()
        sweeping.add(to_batch(timeline(*spreads, start=START + block * 1000 * SECOND)))
        sizes.append(len(pickle.dumps(sweeping)))
    assert max(sizes[20:]) < 1.1 * max(sizes[10:20])  # bins fill at first


def test_order_and_duplicates() -> None:
    """Statistics come in the order in which the thresholds were given, a repeated one once."""
    results = run([0.003, 0.001, 0.003, 0.0, -0.0, 0.001], timeline(0.002, 0.004, 0.0))
    assert [(each.threshold, each.signals) for each in results] == [(0.003, 1), (0.001, 2), (0.0, 2)]


def test_without_summaries() -> None:
    """A product without summaries has zeros where something is counted, and null elsewhere."""
    sweeping = ThresholdSweep([0.001])
    sweeping.add(to_batch([]))
    [result] = sweeping.finish()
    [entry] = result.statistics
    assert set(entry.row().values()) == {0.001, 0, True, None}
    assert (result.spread.quantiles, result.connections, result.observed_ns) == (None, None, 0)
    assert ThresholdSweep([]).finish()[0].statistics == []


@pytest.mark.parametrize("threshold", [-0.001, math.nan, math.inf])
def test_thresholds_that_are_none(threshold: float) -> None:
    """A threshold is finite and never negative: crossed books rely on it. So is a fee."""
    with pytest.raises(ThresholdError, match="is not a threshold"):
        ThresholdSweep([0.001, threshold])
    with pytest.raises(ThresholdError, match="is not a threshold"):
        ThresholdSweep([0.001], fee=threshold)
