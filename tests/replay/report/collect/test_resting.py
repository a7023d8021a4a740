"""How orders rested, reduced: no price is lost, none is invented, and batches do not matter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orderbook.execution.resting import COLUMNS
from replay.comparing.sweep.order_statistics import Ints
from replay.report.collect.resting import Rested, RestingOrders

SECOND = 10**9
ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),  # side
        st.integers(1, 50),  # price
        st.integers(0, 100 * SECOND),  # from
        st.sampled_from((0, 1, 10**6, 10**7, SECOND, 40 * SECOND)),  # for how long
    ),
    max_size=120,
)


def array(rows: list[tuple[int, int, int, int]]) -> Ints:
    """Return rows as they come, in the order in which they end."""
    of_lane = [
        (number, side, price, start, start + length, 7, 3, 3, 2, 1)
        for number, (side, price, start, length) in enumerate(rows, 1)
    ]
    of_lane.sort(key=lambda row: row[4])
    return np.array(of_lane, np.int64).reshape(-1, len(COLUMNS))


def reduced(rows: Ints, most: int, parts: int = 1) -> list[Rested]:
    """Return what is kept of rows that come in parts."""
    kept = RestingOrders(most)
    for part in np.array_split(rows, parts):
        kept.add(part)
        kept.found()  # reduces them
    assert kept.seen == len(rows)
    return kept.found()


@given(ROWS, st.integers(4, 60), st.integers(1, 9))
def test_prices_stay(given_rows: list[tuple[int, int, int, int]], most: int, parts: int) -> None:
    """There are no more than asked; each row is in one of them, and their extremes are of their rows."""
    rows = array(given_rows)
    found = reduced(rows, most)
    assert reduced(rows, most, parts) == found
    assert len(found) <= max(most, 2)
    if len(rows) <= most:
        assert sorted(tuple(each) for each in found) == sorted((*row, row[2], 1) for row in rows.tolist())
    assert sum(each.rows for each in found) == len(rows)
    for each in found:
        same = rows[(rows[:, 1] == each.side) & (rows[:, 3] >= each.start) & (rows[:, 4] <= each.end)]
        assert each.low in same[:, 2]
        assert each.high in same[:, 2]
        assert {each.start, each.end} <= {*same[:, 3].tolist(), *same[:, 4].tolist()}
        if each.rows == 1:
            assert [*each[:10]] in same.tolist()
    for _, side, price, start, end, *_ in rows.tolist():
        assert any(
            each.side == side and each.low <= price <= each.high and each.start <= start and end <= each.end
            for each in found
        )
