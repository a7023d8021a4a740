"""Observed time and episodes, against their definition worked out summary by summary."""

from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from booktape.examples.episode_alert import EpisodeAlert
from orderbook.episodes import ObservedTime, end_times, find_episodes, interruptions, intervals
from orderbook.schema import FLOW_SUMMARY_SCHEMA
from orderbook.thresholds import is_above

THRESHOLD = 0.001


class Summary(NamedTuple):
    """What counts of a summary."""

    time: int
    connection: int
    spread: float | None


@st.composite
def summaries(draw: st.DrawFn) -> list[Summary]:
    """Draw the summaries of a product: times and connections never go back, some spreads are missing."""
    size = draw(st.integers(0, 30))
    steps = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    switches = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=size, max_size=size))
    spreads = draw(
        st.lists(st.sampled_from([None, 0.0, THRESHOLD, 0.002, 0.003]), min_size=size, max_size=size)
    )
    return list(map(Summary, accumulate(steps), accumulate(switches), spreads))


def naive_intervals(rows: list[Summary]) -> list[tuple[int, int]]:
    """Return position and length of each interval."""
    return [
        (position, after.time - before.time)
        for position, (before, after) in enumerate(pairwise(rows))
        if before.connection == after.connection
    ]


def naive_episodes(rows: list[Summary]) -> list[tuple[int, int]]:
    """Return (start, end) of each episode, the open one ends with the last summary."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for position, row in enumerate(rows):
        before = rows[position - 1] if position else None
        if start is not None and before is not None and before.connection != row.connection:
            found.append((start, before.time))
            start = None
        if row.spread is not None and row.spread > THRESHOLD:
            start = row.time if start is None else start
        elif start is not None:
            found.append((start, row.time))
            start = None
    return found if start is None else [*found, (start, rows[-1].time)]


def columns(rows: list[Summary]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times, connections and spreads, None as NaN."""
    times, connections, spreads = zip(*rows, strict=True) if rows else ((), (), ())
    filled = [np.nan if spread is None else spread for spread in spreads]
    return np.array(times, np.int64), np.array(connections, np.int32), np.array(filled, np.float64)


@given(summaries())
def test_intervals(rows: list[Summary]) -> None:
    """Two consecutive summaries span an interval if they are of one connection."""
    times, connections, _ = columns(rows)
    opening, durations = intervals(times, connections)
    assert list(zip(opening.tolist(), durations.tolist(), strict=True)) == naive_intervals(rows)


@given(summaries(), st.lists(st.integers(0, 30), max_size=4))
def test_observed_time_does_not_depend_on_batches(rows: list[Summary], cuts: list[int]) -> None:
    """It is the sum of all intervals, however the summaries are cut into batches."""
    observed = ObservedTime()
    for start, stop in pairwise([0, *sorted(cuts), len(rows)]):
        if rows[start:stop]:
            times, connections, _ = columns(rows[start:stop])
            observed.add(times, connections)
    assert observed.ns == sum(duration for _, duration in naive_intervals(rows))


@given(summaries())
def test_episodes(rows: list[Summary]) -> None:
    """An episode is a maximal run above of one connection; its length is that of the intervals it opens."""
    times, connections, spreads = columns(rows)
    above, interrupted = is_above(spreads, THRESHOLD), interruptions(connections)
    begins, ends = find_episodes(above, interrupted)
    closed = end_times(times, ends, interrupted).tolist()
    still_open = [times[-1]] if len(begins) > len(ends) else []
    found = list(zip(times[begins].tolist(), [*closed, *still_open], strict=True))
    assert found == naive_episodes(rows)
    opening, durations = intervals(times, connections)
    assert sum(end - start for start, end in found) == durations[above[opening]].sum()


@given(summaries(), st.lists(st.integers(0, 30), max_size=4))
def test_the_example_strategy_alerts_of_these_episodes(rows: list[Summary], cuts: list[int]) -> None:
    """The episodes that `EpisodeAlert` reports are those of the definition, in any batches."""
    strategy = EpisodeAlert("BTC-USD", THRESHOLD)
    batches = []
    for start, stop in pairwise([0, *sorted(cuts), len(rows)]):
        fields = [
            dict.fromkeys(FLOW_SUMMARY_SCHEMA.names)
            | {"seq": start + n, "recv_time": time, "connection": connection, "relative_spread": spread}
            for n, (time, connection, spread) in enumerate(rows[start:stop])
        ]
        if fields:
            batches.append(strategy.step(pa.RecordBatch.from_pylist(fields, schema=FLOW_SUMMARY_SCHEMA)))
    reported = pa.Table.from_batches([*batches, strategy.finish()])
    ended = reported.filter(pc.equal(reported["what"], "ended"))
    start_times, ends = (ended[name].cast(pa.int64()).to_pylist() for name in ("start", "end"))
    assert list(zip(start_times, ends, strict=True)) == naive_episodes(rows)
