"""The best prices over time: no quote is lost outside of the band, whatever the batches."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.report.collect.quotes import QuoteBand

QUOTES = st.lists(
    st.tuples(st.integers(0, 2**34), st.integers(1, 9), st.integers(1, 9), st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60)
@given(QUOTES, st.integers(1, 20), st.integers(2, 8))
def test_the_band_holds_every_quote(quotes: list[tuple[int, int, int, bool]], cut: int, buckets: int) -> None:
    """Each quote lies in the band of its bucket, which one of them touches at each side."""
    quotes = sorted(quotes)
    times = np.array([time for time, *_ in quotes], np.int64)
    bids = np.array([float(bid) if known else np.nan for _, bid, _, known in quotes])
    asks = np.array([float(bid + spread) for _, bid, spread, _ in quotes])
    whole, parts = QuoteBand(buckets), QuoteBand(buckets)
    whole.add(times, bids, asks)
    for first in range(0, len(times), cut):
        parts.add(times[first : first + cut], bids[first : first + cut], asks[first : first + cut])
    found = whole.points()
    assert all((one == other).all() for one, other in zip(found, parts.points(), strict=True))
    assert len(found[0]) <= buckets
    known = ~np.isnan(bids)
    for time, low, high in zip(*found, strict=True):
        is_here = known & (times // whole.width_ns == time // whole.width_ns)
        assert (bids[is_here].min(), asks[is_here].max()) == (low, high)
        assert time == times[is_here][0]
    assert {time // whole.width_ns for time in times[known]} == {time // whole.width_ns for time in found[0]}
