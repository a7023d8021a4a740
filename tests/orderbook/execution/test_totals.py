"""The sums of a lane, against what they are by definition."""

from orderbook.execution.codes import Code
from orderbook.execution.events import Fill
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.orders import Order
from orderbook.execution.results import FillRow, Sample, SampleWhy
from orderbook.execution.totals import LaneTotals
from tests.support.constants import SECOND


def sample(
    second: int, equity: float | None, why: SampleWhy = "grid", position: int = 0, connection: int = 0
) -> Sample:
    """Return a sample at a second."""
    twice = None if equity is None else round(equity * 100) * 2 * MONEY_UNITS // 100
    price = 100 * UNITS
    return Sample(second * SECOND, connection, why, price, price, position, 0, 0, 0, twice, None)


def counted(*samples: Sample) -> LaneTotals:
    """Return the numbers of a lane with these samples."""
    found = LaneTotals(SECOND, (SECOND,))
    for each in samples:
        found.add_sample(each)
    return found


def test_drawdown_is_on_the_grid_alone() -> None:
    """The deepest fall below the highest mark before it; marks between the grid do not count."""
    found = counted(
        *(sample(0, 0), sample(1, 5), sample(2, -90, "fill"), sample(2, 1), sample(3, 7), sample(4, 4.5))
    )
    assert found.fall_twice == 4 * 2 * MONEY_UNITS
    assert (
        counted(sample(0, -3), sample(1, -5)).fall_twice == 5 * 2 * MONEY_UNITS
    )  # from the start, which is 0


def test_time_in_position_ends_with_a_connection() -> None:
    """Time counts from a mark with a position to the next one of the same connection."""
    found = counted(
        *(sample(0, 0, position=1), sample(1, 0), sample(2, 0, position=-1), sample(3, 0, position=-1)),
        sample(9, 0, position=1, connection=1),
    )
    assert found.time_in_position == 2 * SECOND


def test_tapes_add_up() -> None:
    """Counts and sums of two tapes are those of both; no change of the equity leads from one to the other."""
    how = Fill("trade", True, 100 * MONEY_UNITS, 0, 0, 0, 0, 0)
    order = Order(
        1, None, "bid", "limit", False, 100 * UNITS, UNITS, "share", 0, {"back": 1, "share": 2, "front": 3}
    )
    order.end = Code.CANCELLED
    tapes = []
    for equity in (3, 8):
        tape = counted(sample(0, 0), sample(1, equity), sample(2, 1))
        tape.add_order(order)
        tape.add_fill(
            FillRow(0, 1, 0, "bid", 100 * UNITS, UNITS, how, 200 * UNITS, [200 * UNITS + UNITS // 50])
        )
        tapes.append(tape)
    both = LaneTotals(SECOND, (SECOND,))
    for tape in tapes:
        both.merge(tape)
    assert both.ends == {Code.CANCELLED: 2}
    assert (both.accepted, both.done, both.filled["front"]) == (2 * UNITS, 4, 6)
    assert both.fall_twice == 7 * 2 * MONEY_UNITS
    assert (both.of_marks.count, both.of_marks.total) == (4, 2 * 2 * MONEY_UNITS)
    assert both.of_marks.span == 2 * 2 * SECOND
    maker, taker = both.markouts[SECOND]
    assert (maker.fills, maker.total, maker.value) == (2, 2 * 10**9, 200 * MONEY_UNITS)
    assert taker.fills == 0
