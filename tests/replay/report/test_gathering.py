"""What a report keeps of a pass: the spikes, the gaps, the hours and the longest episodes, within bounds."""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.engine import RowSpan, Step
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA, empty_batch
from orderbook.tally import Tally
from replay.compared import Group, Quality, TapePass
from replay.comparison import DEFAULT_HORIZONS_NS, CompareSettings, Comparison
from replay.report.episodes import AROUND_NS, LongestEpisodes, Quotes
from replay.report.gaps import Gaps
from replay.report.hours import HOURS, HourShares
from replay.report.reduction import MinMaxReduction
from replay.report.reporting import Report
from replay.sweep.sweeping import ThresholdSweep
from tests.replay.tapes import SECOND, START

HOUR_S = 3600


@dataclass(frozen=True)
class Row:
    """A summary as the brute force sees it."""

    time: int
    spread: float  # NaN: one-sided
    connection: int


@st.composite
def rows_of(draw: st.DrawFn) -> list[Row]:
    """Draw summaries of some connections, in order of time."""
    rows, time, connection = [], START, 0
    for _ in range(draw(st.integers(1, 60))):
        time += draw(st.sampled_from((0, 1, 10**6, 10**9, 7 * 10**9, 4000 * 10**9)))
        connection += draw(st.sampled_from((0, 0, 0, 0, 1)))
        spread = draw(st.sampled_from((-0.001, 0.0, 0.0005, 0.001, 0.002, 0.003, math.nan)))
        rows.append(Row(time, spread, connection))
    return rows


@st.composite
def cut_rows(draw: st.DrawFn) -> list[list[Row]]:
    """Draw summaries, cut into batches."""
    rows = draw(rows_of())
    cuts = sorted(draw(st.sets(st.integers(1, len(rows)), max_size=6)) | {0, len(rows)})
    return [rows[start:end] for start, end in pairwise(cuts)]


def times_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the times of rows."""
    return np.array([row.time for row in rows], np.int64)


def spreads_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the spreads of rows."""
    return np.array([row.spread for row in rows], np.float64)


def connections_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the connections of rows."""
    return np.array([row.connection for row in rows], np.int64)


def reduced(batches: list[list[Row]], buckets: int) -> MinMaxReduction:
    """Return the reduction of batches."""
    reduction = MinMaxReduction(buckets)
    for rows in batches:
        reduction.add(times_of(rows), spreads_of(rows))
    return reduction


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 12))
def test_reduction_keeps_every_spike(batches: list[list[Row]], buckets: int) -> None:
    """In each bucket of time the smallest and largest value are kept, each when it was first seen."""
    reduction = reduced(batches, buckets)
    there = [row for rows in batches for row in rows if not math.isnan(row.spread)]
    expected: set[tuple[int, float]] = set()
    for bucket in {row.time // reduction.width_ns for row in there}:
        inside = [row for row in there if row.time // reduction.width_ns == bucket]
        for choose in (min, max):
            found = choose(inside, key=lambda row: row.spread)
            expected.add((found.time, found.spread))
    times, values = (part.tolist() for part in reduction.points())
    assert set(zip(times, values, strict=True)) == expected
    assert times == sorted(times)
    assert len(times) <= 2 * buckets
    assert reduction.seen == len(there)


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 12), st.data())
def test_reduction_of_parts(batches: list[list[Row]], buckets: int, data: st.DataObject) -> None:
    """Two parts that are reduced apart and merged are as if they had been one, in whatever batches."""
    at = data.draw(st.integers(0, len(batches)))
    merged = reduced(batches[:at], buckets)
    merged.merge(reduced(batches[at:], buckets))
    whole = reduced([[row for rows in batches for row in rows]], buckets)
    assert [part.tolist() for part in merged.points()] == [part.tolist() for part in whole.points()]
    assert (merged.width_ns, merged.seen) == (whole.width_ns, whole.seen)


def test_reduction_of_a_day_stays_small() -> None:
    """A spike of one row in a day of a million is there, in some thousand points."""
    times = START + np.arange(1_000_000) * (86_400 * SECOND // 1_000_000)
    values = np.full(1_000_000, 0.001)
    values[777_777] = 0.5
    reduction = MinMaxReduction(1500)
    for start in range(0, 1_000_000, 4096):
        reduction.add(times[start : start + 4096], values[start : start + 4096])
    kept_times, kept = reduction.points()
    assert 750 < len(kept) <= 3000
    assert kept_times[kept.argmax()] == times[777_777]
    assert kept.max() == 0.5


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 5))
def test_gaps(batches: list[list[Row]], most: int) -> None:
    """The gaps lie between connections; where they are too many some are joined, and none is forgotten."""
    gaps = Gaps(most)
    for rows in batches:
        gaps.add(times_of(rows), connections_of(rows))
    rows = [row for batch in batches for row in batch]
    pairs = pairwise(rows)
    expected = [(a.time, b.time) for a, b in pairs if a.connection != b.connection]
    found = gaps.found()
    assert len(found) == min(len(expected), most)
    assert sum(gap.interruptions for gap in found) == len(expected)
    assert sum(gap.excluded_ns for gap in found) == sum(end - start for start, end in expected)
    assert all(any(gap.start <= start and end <= gap.end for gap in found) for start, end in expected)


@settings(max_examples=30)
@given(rows_of())
def test_hours(rows: list[Row]) -> None:
    """Each interval counts in every hour of the day that it touches, for its part of it."""
    thresholds = (0.0, 0.001, 0.0025)
    expected = np.zeros((len(thresholds), HOURS))
    observed = np.zeros(HOURS)
    shares = HourShares(thresholds)
    for row, after in pairwise(rows):
        if row.connection != after.connection:
            continue
        shares.add(np.array([row.time]), np.array([after.time - row.time]), np.array([row.spread]))
        for hour in range(row.time // SECOND // HOUR_S, after.time // SECOND // HOUR_S + 1):
            start, end = hour * HOUR_S * SECOND, (hour + 1) * HOUR_S * SECOND
            part = max(min(end, after.time) - max(start, row.time), 0)
            observed[hour % HOURS] += part
            for place, threshold in enumerate(thresholds):
                expected[place, hour % HOURS] += part * (row.spread > threshold)
    assert shares.observed_s() == (observed / SECOND).tolist()
    for found, above in zip(shares.shares(), expected.tolist(), strict=True):
        assert found == [part / whole if whole else None for part, whole in zip(above, observed, strict=True)]


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 4))
def test_longest_episodes(batches: list[list[Row]], keep: int) -> None:
    """The longest episodes are those of the brute force, with the quotes around them, in whatever batches."""
    threshold = 0.001
    collected = LongestEpisodes(threshold, keep)
    for rows in batches:
        times = times_of(rows)
        collected.add(Quotes(times, times / 2, times / 3), spreads_of(rows), connections_of(rows))
    kept = collected.finish()

    every: list[tuple[int, int, float, bool]] = []
    rows = [row for batch in batches for row in batch]
    open_since: Row | None = None
    highest = 0.0
    for place, row in enumerate(rows):
        after = rows[place + 1] if place + 1 < len(rows) else None
        if row.spread > threshold:
            open_since, highest = open_since or row, max(highest, row.spread)
            if after is None or after.connection != row.connection:
                every.append((open_since.time, row.time, highest, True))
                open_since, highest = None, 0.0
            elif not after.spread > threshold:
                every.append((open_since.time, after.time, highest, False))
                open_since, highest = None, 0.0
    assert collected.count == len(every) == sum(collected.durations.values())
    longest = sorted(every, key=lambda found: (found[0] - found[1], found[0]))[:keep]
    assert [(each.start, each.end, each.max_spread, each.is_cut) for each in kept] == sorted(longest)
    for each in kept:
        expected = [
            row.time
            for row in rows
            if row.connection == each.connection
            and each.start - AROUND_NS <= row.time <= each.end + AROUND_NS
        ]
        assert each.quotes is not None
        assert each.quotes.times.tolist() == expected


def test_a_long_episode_stays_small() -> None:
    """The quotes of an episode of 200,000 rows are thinned, and its one spike is still there."""
    collected = LongestEpisodes(0.001, 3)
    bids = np.full(200_000, 99.0)
    bids[123_456] = 50.0
    times = START + np.arange(200_000) * 1000
    for start in range(0, 200_000, 2048):
        part = slice(start, start + 2048)
        quotes = Quotes(times[part], bids[part], np.full(len(bids[part]), 100.0))
        assert quotes.times.size
        collected.add(quotes, np.full(len(quotes.times), 0.01), np.zeros(len(quotes.times), np.int64))
    (episode,) = collected.finish()
    assert episode.quotes is not None
    assert len(episode.quotes.times) <= 200
    assert episode.quotes.times[episode.quotes.bids.argmin()] == times[123_456]
    assert episode.quotes.times[[0, -1]].tolist() == times[[0, -1]].tolist()


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_thinned_quotes_keep_empty_sides(side: str) -> None:
    """A side that is empty throughout is no obstacle."""
    full, empty = np.full(1000, 5.0), np.full(1000, math.nan)
    times = START + np.arange(1000)
    quotes = Quotes(times, *((full, empty) if side == "bids" else (empty, full)))
    thin = quotes.thinned(100)
    assert 2 <= len(thin.times) <= 110
    assert not np.isnan(getattr(thin, side)).any()


def test_a_day_of_a_thousand_thresholds_is_small(tmp_path: Path) -> None:
    """The report of a day of two products and 1,000 thresholds is a file under 6 MB."""
    thresholds = [(number + 1) / 1e6 for number in range(1000)]
    report = Report(tmp_path / "report.html", thresholds, 2)
    tape = tmp_path / "tape"
    watch = report.of(tape)
    rows = 200_000
    random = np.random.default_rng(1)
    seq = np.arange(rows)
    times = START + seq * (86_400 * SECOND // rows) + random.integers(0, 1000, rows)
    spreads = (random.random(rows) ** 4 * 0.002).round(12)
    prices = (random.random(rows) * 60_000).round(2)
    columns = {"seq": seq, "recv_time": times, "exchange_time": times, "spread": spreads}
    columns |= dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), prices)
    columns |= {"relative_spread": spreads, "connection": (seq // 300).astype(np.int32)}
    summaries = pa.RecordBatch.from_pydict(columns, FLOW_SUMMARY_SCHEMA)
    sweeps, tallies = {}, {}
    for product in ("BTC-USD", "ETH-USD"):
        sweeps[product], tallies[product] = ThresholdSweep(thresholds, DEFAULT_HORIZONS_NS), Tally(0.001)
        step = Step(RowSpan(rows=rows), summaries, empty_batch(FLOW_ANOMALY_SCHEMA), frozenset(), 0, 0)
        watch(product, step)
        sweeps[product].add(summaries)
    comparison = Comparison(CompareSettings(tuple(thresholds)), "plain", [TapePass(tape, tallies)])
    quality = Quality(0.0, 0, 0, "verified", {"verified": 1})
    for product, sweep in sweeps.items():
        result = sweep.finish()[-1]
        comparison.groups.append(Group(tape, product, None, result.statistics, result.spread, quality))
    report.write(comparison)
    assert 5_000_000 < (tmp_path / "report.html").stat().st_size < 6_000_000
