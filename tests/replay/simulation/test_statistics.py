"""The numbers that are worked out of the sums of a lane, against what they are by definition."""

import math
import random
from statistics import fmean, stdev

import pytest

from orderbook.execution.events import Fill
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.results import FillRow, Sample, SampleWhy
from orderbook.execution.totals import LaneTotals
from replay.simulation.statistics import markout_documents, sharpe, sharpe_hourly
from tests.support.constants import SECOND

HORIZONS = (SECOND, 5 * SECOND)


def sample(
    second: int, equity: float | None, why: SampleWhy = "grid", position: int = 0, connection: int = 0
) -> Sample:
    """Return a sample at a second."""
    twice = None if equity is None else round(equity * 100) * 2 * MONEY_UNITS // 100
    price = 100 * UNITS
    return Sample(second * SECOND, connection, why, price, price, position, 0, 0, 0, twice, None)


def counted(*samples: Sample) -> LaneTotals:
    """Return the numbers of a lane with these samples."""
    found = LaneTotals(SECOND, HORIZONS)
    for each in samples:
        found.add_sample(each)
    return found


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
    found_sharpe, error = sharpe(found)
    assert found.of_marks.count == len(differences)
    assert found_sharpe == pytest.approx(ratio * year, rel=1e-6)
    assert error == pytest.approx(math.sqrt((1 + ratio**2 / 2) / len(differences)) * year, rel=1e-6)
    assert sharpe_hourly(found) is None  # 24 hours are below 30
    assert sharpe(counted(*samples[:86_000])) == (None, None)


def fill(value: int, maker: bool, mids: list[int | None]) -> FillRow:
    """Return a purchase at 100 with these mids after it, in hundredths."""
    how = Fill("trade", maker, value * MONEY_UNITS, 0, 0, 0, 0, 0)
    twice = [None if mid is None else mid * 2 * UNITS // 100 for mid in mids]
    return FillRow(0, 1, 0, "bid", 100 * UNITS, UNITS, how, 200 * UNITS, twice)


def test_markouts_by_fill_and_by_value() -> None:
    """A mid a hundredth higher is a basis point for a buyer at 100; unknown ones are left out and counted."""
    found = LaneTotals(SECOND, HORIZONS)
    found.add_fill(fill(100, True, [10_001, None]))
    found.add_fill(fill(300, False, [10_005, 9_990]))
    first, second = markout_documents(found).values()
    assert (first.all.fills, first.all.left_out, second.all.fills, second.all.left_out) == (2, 0, 1, 1)
    assert [first.all.mean_bps, first.all.mean_by_value_bps] == pytest.approx([3, 4])
    assert first.all.standard_error_bps == pytest.approx(2)
    assert [first.maker.mean_bps, first.taker.mean_bps] == pytest.approx([1, 5])
    assert second.taker.mean_bps == pytest.approx(-10)
    assert second.maker.mean_bps is None
