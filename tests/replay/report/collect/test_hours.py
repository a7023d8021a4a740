"""Time above by hour of the day, against a sum over every interval."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings

from replay.report.collect.hours import HOURS, HourShares
from tests.support.constants import SECOND
from tests.support.report_rows import Row, rows_of

HOUR_S = 3600


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
