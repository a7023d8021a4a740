"""The longest episodes and the quotes around them, against a brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.report.collect.episodes import AROUND_NS, LongestEpisodes, Quotes
from tests.support.constants import START
from tests.support.report_rows import Row, connections_of, cut_rows, spreads_of, times_of


@settings(max_examples=30)
@given(cut_rows(), st.integers(1, 4))
def test_longest_episodes(batches: list[list[Row]], keep: int) -> None:
    """The longest episodes equal those of a brute force, with the quotes around them, in any batches."""
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
    longest = sorted(range(len(every)), key=lambda number: every[number][0] - every[number][1])[:keep]
    assert [(each.start, each.end, each.max_spread, each.is_cut) for each in kept] == [
        every[number] for number in sorted(longest)
    ]
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
    """Quotes with a side that is always empty can be thinned."""
    full, empty = np.full(1000, 5.0), np.full(1000, math.nan)
    times = START + np.arange(1000)
    quotes = Quotes(times, *((full, empty) if side == "bids" else (empty, full)))
    thin = quotes.thinned(100)
    assert 2 <= len(thin.times) <= 110
    assert not np.isnan(getattr(thin, side)).any()
