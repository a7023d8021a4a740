"""The best N levels after every summary are those of the naive oracle, whatever the rows and the batches."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderbook.depth import depth_schema
from orderbook.engine import PlainEngine, Step
from orderbook.schema import TAPE_SCHEMA
from orderbook.venues.registry import VENUE_NAMES
from tests.endurance.forms import cases
from tests.support import random_frames as strategies
from tests.support.constants import BTC
from tests.support.depth_oracle import depth_rows
from tests.support.oracle import Row
from tests.support.tapes import tuples_of

TOP = ("bid_price", "bid_size", "ask_price", "ask_size")


def steps(rows: list[Row], feed: str, depth: int, cuts: list[int]) -> list[Step]:
    """Return what the core gives for rows, in batches cut at these places."""
    engine = PlainEngine()
    state = engine.start(BTC, feed)
    found = []
    for start, stop in pairwise([0, *sorted(cuts), len(rows)]):
        part = [row._asdict() for row in rows[start:stop]]
        state, step = engine.step(state, pa.RecordBatch.from_pylist(part, schema=TAPE_SCHEMA), depth)
        found.append(step)
    return found


@pytest.mark.parametrize("feed", VENUE_NAMES)
@pytest.mark.timeout(600)  # shrinking a failure takes its time
@settings(
    max_examples=cases(300, 25),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(data=st.data())
def test_depth_equals_oracle(feed: str, data: st.DataObject) -> None:
    """Row by row and in any batches: the oracle's levels, the first of them the summary's to the bit."""
    rows = data.draw(strategies.tape_rows(feed))
    depth = data.draw(st.integers(1, 6))
    cuts = data.draw(
        st.just(list(range(1, len(rows)))) | st.lists(st.integers(0, len(rows)), max_size=3), label="cuts"
    )
    expected = depth_rows(rows, BTC, feed, depth)
    found = []
    for step in steps(rows, feed, depth, cuts):
        assert step.depth is not None
        assert step.depth.schema == depth_schema(depth)
        found += tuples_of(step.depth)
        for name in ("seq", "recv_time", *TOP):
            first = step.depth.column(f"{name}_1" if name in TOP else name)
            assert first.equals(step.summaries.column(name))  # neither holds NaN or -0.0
    assert found == expected


def test_no_depth_unasked() -> None:
    """Where no depth is asked for there is none."""
    rows = [Row(0, 1, 0, "frame", '{"type":"snapshot","product_id":"BTC-USD","bids":[],"asks":[]}')]
    (step,) = steps(rows, "exchange", 0, [])
    assert step.summaries.num_rows == 1
    assert step.depth is None
