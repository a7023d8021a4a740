"""How orders rested, reduced: no price is lost, none is invented, and batches do not matter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orderbook.execution.resting import COLUMNS
from replay.comparing.sweep.order_statistics import Ints
from replay.report.collect.resting import Rested, RestingOrders, joined_by_lane

SECOND = 10**9
SHIFT = 30
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


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(4, 60), st.integers(1, 3))
def test_lanes_at_once(lanes: list[list[tuple[int, int, int, int]]], most: int, parts: int) -> None:
    """Rows of many lanes that are put together at once become what those of each lane become alone."""
    rows = [array(of_lane) for of_lane in lanes]
    is_joined = np.array([len(each) > most for each in rows])
    kept = [RestingOrders(most, SHIFT) for _ in lanes]
    for part in range(parts):
        own = [np.array_split(each, parts)[part] for each in rows]
        records = np.concatenate([np.insert(each, 0, lane, axis=1) for lane, each in enumerate(own)])
        joined = joined_by_lane(records, SHIFT, is_joined)
        for lane, each in enumerate(kept):
            each.add_joined(joined[joined[:, 0] == lane, 1:])
    for each, of_lane in zip(kept, rows, strict=True):
        alone = RestingOrders(most, SHIFT)
        alone.add(of_lane)
        assert [shown(one) for one in each.found()] == [shown(one) for one in alone.found()]
        assert (each.seen, each.width_ns) == (alone.seen, alone.width_ns)


def shown(rested: Rested) -> tuple[int, ...]:
    """Return what is shown of an order, or of several."""
    if rested.rows == 1:
        return tuple(rested)
    return rested.side, rested.low, rested.high, rested.start, rested.end, rested.rows
