"""Checks of rows: any field that changes is seen at its row, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.digest.summaries import RowChecks, checks_of, pack
from orderbook.engine import PlainEngine
from tests.endurance.planned_recorder import planned
from tests.support.constants import BTC
from tests.support.rows import to_batch

ENGINE = PlainEngine()
PACKED = pack(ENGINE.step(ENGINE.start(BTC, "exchange"), to_batch(planned(0, 60)))[1].summaries)


@given(row=st.integers(0, len(PACKED) - 1), byte=st.integers(0, 63), bit=st.integers(0, 7))
def test_one_changed_bit_changes_one_check(row: int, byte: int, bit: int) -> None:
    """Whichever bit of a packed summary changes, its check does, and that of no other row."""
    changed = PACKED.copy()
    changed.view(np.uint8).reshape(len(PACKED), 64)[row, byte] ^= 1 << bit
    assert np.flatnonzero(checks_of(changed) != checks_of(PACKED)).tolist() == [row]


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_checks_lie_where_their_rows_do(cut: int) -> None:
    """However they come in, the checks of a segment have the place of their row; a row without one has 0."""
    checks = RowChecks()
    for start in range(0, len(PACKED), cut):
        checks.add(PACKED[start : start + cut])
    first, second = checks.take(0, 20), checks.take(20, 40)
    dense = np.concatenate([first, second])
    assert np.flatnonzero(dense).tolist() == PACKED["seq"].tolist()
    assert dense[PACKED["seq"]].tolist() == checks_of(PACKED).tolist()
    assert not checks.take(0, 60).any()
