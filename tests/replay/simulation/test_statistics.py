"""The numbers of a lane, against what they are by definition."""

import math
import random
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.execution.account import Account
from orderbook.execution.events import Fill
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.results import FillRow, GridRun, LaneRows, Marks, Sample, SampleWhy
from replay.simulation.statistics import LaneStatistics
from tests.support.constants import SECOND

HORIZONS = (SECOND, 5 * SECOND)


def sample(
    second: int, equity: float | None, why: SampleWhy = "grid", position: int = 0, connection: int = 0
) -> Sample:
    """Return a sample at a second."""
    twice = None if equity is None else round(equity * 100) * 2 * MONEY_UNITS // 100
    price = 100 * UNITS
    return Sample(second * SECOND, connection, why, price, price, position, 0, 0, 0, twice, None)


def counted(*samples: Sample) -> LaneStatistics:
    """Return the numbers of a lane with these samples."""
    found = LaneStatistics(SECOND, HORIZONS)
    for each in samples:
        found.add(LaneRows(samples=[each]))
    return found


def test_drawdown_is_on_the_grid_alone() -> None:
    """The deepest fall below the highest mark before it; marks between the grid do not count."""
    found = counted(
        *(sample(0, 0), sample(1, 5), sample(2, -90, "fill"), sample(2, 1), sample(3, 7), sample(4, 4.5))
    )
    assert found.drawdown_twice == 4 * 2 * MONEY_UNITS
    assert counted(sample(0, -3), sample(1, -5)).drawdown_twice == 2 * 2 * MONEY_UNITS


def test_time_in_position_ends_with_a_connection() -> None:
    """Time counts from a mark with a position to the next one of the same connection."""
    found = counted(
        *(sample(0, 0, position=1), sample(1, 0), sample(2, 0, position=-1), sample(3, 0, position=-1)),
        sample(9, 0, position=1, connection=1),
    )
    assert found.time_in_position == 2 * SECOND


def test_sharpe_has_its_samples_and_error() -> None:
    """Mean by standard deviation of the differences within connections, by the year; null if too short."""
    rng = random.Random(3)
    equity, samples, differences = 0.0, [], []
    for second in range(90_000):
        if second in {40_000, 40_001}:
            samples.append(sample(second, None))
            continue
        step = round(rng.gauss(0.02, 1), 2)
        connection = int(second > 40_000)
        if second not in {0, 40_002}:
            differences.append(step)
        equity += step
        samples.append(sample(second, equity, connection=connection))
    found = counted(*samples)
    ratio = fmean(differences) / stdev(differences)
    year = math.sqrt(365.25 * 86_400)
    sharpe, number, error = found.sharpe()
    assert number == len(differences)
    assert sharpe == pytest.approx(ratio * year, rel=1e-6)
    assert error == pytest.approx(math.sqrt((1 + ratio**2 / 2) / number) * year, rel=1e-6)
    assert found.sharpe_hourly() is None  # 24 hours are below 30
    assert counted(*samples[:86_000]).sharpe()[0] is None


def fill(value: int, maker: bool, mids: list[int | None]) -> FillRow:
    """Return a purchase at 100 with these mids after it, in hundredths."""
    how = Fill("trade", maker, value * MONEY_UNITS, 0, 0, 0, 0, 0)
    twice = [None if mid is None else mid * 2 * UNITS // 100 for mid in mids]
    return FillRow(0, 1, 0, "bid", 100 * UNITS, UNITS, how, 200 * UNITS, twice)


def test_markouts_by_fill_and_by_value() -> None:
    """A mid a hundredth higher is a basis point for a buyer at 100; unknown ones are left out and counted."""
    found = LaneStatistics(SECOND, HORIZONS)
    found.add(LaneRows(fills=[fill(100, True, [10_001, None]), fill(300, False, [10_005, 9_990])]))
    first, second = found.markouts().values()
    assert (first.all.fills, first.all.left_out, second.all.fills, second.all.left_out) == (2, 0, 1, 1)
    assert [first.all.mean_bps, first.all.mean_by_value_bps] == pytest.approx([3, 4])
    assert first.all.standard_error_bps == pytest.approx(2)
    assert [first.maker.mean_bps, first.taker.mean_bps] == pytest.approx([1, 5])
    assert second.taker.mean_bps == pytest.approx(-10)
    assert second.maker.mean_bps is None


@given(st.randoms(use_true_random=False), st.sampled_from((0, 3 * UNITS, -UNITS // 7)))
@settings(max_examples=60, deadline=None)
def test_a_run_of_samples_counts_as_its_samples(rng: random.Random, position: int) -> None:
    """Samples of the grid between two fills give the same numbers one by one and at once, to the last bit."""
    rows, time = [], 0
    for _ in range(rng.randrange(1, 60)):
        time += rng.choice((1, 1, 1, 1, 2, 1800)) * SECOND
        mid = rng.choice((0, 100 * UNITS, rng.randrange(90 * UNITS, 110 * UNITS), 10**17))
        rows.append([time, rng.randrange(2), mid, mid and mid + rng.randrange(3)])
    marks, account = Marks(np.array(rows, np.int64)), Account(5 * MONEY_UNITS, None)
    account.fill("bid", 100 * UNITS, UNITS, 7)
    account.position = position
    cut = rng.randrange(len(rows) + 1)
    runs = [GridRun(marks, *part, account) for part in ((0, cut), (cut, len(rows))) if part[0] < part[1]]
    at_once, one_by_one = LaneStatistics(SECOND, ()), LaneStatistics(SECOND, ())
    at_once.add(LaneRows(samples=list(runs)))
    one_by_one.add(LaneRows(samples=[each for run in runs for each in run.samples()]))
    for name, value in vars(one_by_one).items():
        assert repr(getattr(at_once, name)) == repr(value), name
