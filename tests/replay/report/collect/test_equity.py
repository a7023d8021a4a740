"""The equity of a lane for a figure: few points, which keep every extreme and every hole."""

import pyarrow as pa
from msgspec import UNSET

from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.results import Sample, SampleWhy
from replay.report.collect.equity import EquityCollector, LaneKey
from replay.simulation.tables import equity_batch
from tests.support.constants import ETH, SECOND


def equity(seconds: list[int], values: list[float | None], why: SampleWhy = "grid") -> pa.RecordBatch:
    """Return samples of one lane."""
    samples = []
    for second, value in zip(seconds, values, strict=True):
        twice = None if value is None else int(value) * 2 * MONEY_UNITS
        samples.append(Sample(second * SECOND, 0, why, None, None, 0, 0, 0, 0, twice, None))
    return equity_batch(0, "share", samples)


def test_equity_is_of_the_grid_and_ends_where_no_book_was_known() -> None:
    """A fill between two marks is left out; a hole is a break of the line; the extremes stay."""
    collector = EquityCollector()
    collector("equity", ETH, equity([0, 1, 2], [0.0, 1.0, -5.0]))
    collector("equity", ETH, equity([2], [99.0], why="fill"))
    collector("equity", ETH, equity([60, 61, 62], [None, 2.0, 3.0]))
    collector("fills", ETH, equity([63], [9.0]))
    times, values = collector.points(LaneKey(ETH, UNSET, 0, "share"))
    assert times == [0, 1000, 2000, None, 61_000, 62_000]
    assert values == [0.0, 1.0, -5.0, None, 2.0, 3.0]
    many = EquityCollector()
    many("equity", ETH, equity(list(range(5000)), [float(n == 2500) - float(n == 4000) for n in range(5000)]))
    _, kept = many.points(LaneKey(ETH, UNSET, 0, "share"))
    assert len(kept) <= 1000
    known = [value for value in kept if value is not None]
    assert (min(known), max(known)) == (-1.0, 1.0)
    assert many.points(LaneKey(ETH, UNSET, 1, "share")) == ([], [])
