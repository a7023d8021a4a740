"""The tables of a backtest: exact decimals, made in bulk."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.execution.resting import COLUMNS
from orderbook.execution.results import LogRow
from orderbook.strategy import StrategyError
from replay.simulation.tables import MONEY, UNITS, decimals, log_batch, resting_array, resting_batch


@given(st.lists(st.none() | st.integers(1 - 10**18, 10**18 - 1)))
def test_decimals_are_exact(values: list[int | None]) -> None:
    """Each is what Arrow makes of the exact Decimal."""
    for kind, scale in ((UNITS, 8), (MONEY, 16)):
        exact = [None if value is None else Decimal(value).scaleb(-scale) for value in values]
        assert decimals(values, kind).equals(pa.array(exact, kind))


UNIT = st.integers(1 - 10**18, 10**18 - 1)


@given(
    st.lists(st.tuples(UNIT, st.integers(0, 1), UNIT, st.integers(0, 2**62), *[UNIT] * 6)), st.integers(0, 9)
)
@settings(max_examples=20)
def test_how_orders_rested_is_exact(rows: list[tuple[int, ...]], left_out: int) -> None:
    """Prices, sizes and times are those of the numbers, and come back, of a part of a table too."""
    array = np.array(rows, np.int64).reshape(-1, len(COLUMNS))
    table = pa.Table.from_batches([resting_batch(3, "back", array)])
    table.validate(full=True)
    assert table.column("price").to_pylist() == [Decimal(row[2]).scaleb(-8) for row in rows]
    assert table.column("side").to_pylist() == [("bid", "ask")[row[1]] for row in rows]
    assert resting_array(table.slice(left_out)).tolist() == array[left_out:].tolist()


def test_a_value_that_does_not_fit_is_refused() -> None:
    """It is not cut."""
    with pytest.raises(pa.ArrowInvalid):
        decimals([10**18], UNITS)


def test_a_log_that_is_no_text() -> None:
    """The strategy is at fault, not the directory that is written to."""
    endless: list[object] = []
    endless.append(endless)
    for value in (endless, "\ud800"):
        with pytest.raises(StrategyError, match="logged at row 7 cannot be written"):
            log_batch(0, "share", [LogRow(1, 7, {"value": value})])
