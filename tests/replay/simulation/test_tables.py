"""The tables of a backtest: exact decimals, made in bulk."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.execution.results import LogRow
from orderbook.strategy import StrategyError
from replay.simulation.tables import MONEY, UNITS, decimals, log_batch


@given(st.lists(st.none() | st.integers(1 - 10**18, 10**18 - 1)))
def test_decimals_are_exact(values: list[int | None]) -> None:
    """Each is what Arrow makes of the exact Decimal."""
    for kind, scale in ((UNITS, 8), (MONEY, 16)):
        exact = [None if value is None else Decimal(value).scaleb(-scale) for value in values]
        assert decimals(values, kind).equals(pa.array(exact, kind))


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
