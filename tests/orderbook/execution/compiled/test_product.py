"""The compiled exchange behind the compiled engine, which calls it after each row, beside the plain ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.compiled.engine import CompiledEngine
from orderbook.engine import PlainEngine
from orderbook.execution.compiled.harvest import CompiledLane
from orderbook.execution.compiled.loading import kernel_entry
from orderbook.execution.compiled.product import CompiledProduct
from orderbook.execution.lane import Lane
from orderbook.execution.product import ProductLanes
from tests.endurance.forms import TIMEOUT_S, cases
from tests.support.constants import BTC
from tests.support.exchange_engines import outcome, random_lanes
from tests.support.execution_cases import random_case
from tests.support.execution_frames import tape_rows
from tests.support.rows import cut

FEED = "advanced"
"""Its frames hold any number of trades, so a frame is a row of the case."""


@pytest.mark.timeout(TIMEOUT_S)
@given(seed=st.integers(0, 2**32), rows_a_batch=st.sampled_from((1, 7, 10_000)), at_once=st.booleans())
@settings(max_examples=cases(400, 3), deadline=None)
def test_equals_the_plain_product(seed: int, rows_a_batch: int, at_once: bool) -> None:
    """Steps and all that came of any lane are the same, from the frames on."""
    case = random_case(seed, FEED)
    rules, made = random_lanes(case, seed)
    rows = list(tape_rows(case.rows, FEED))
    batches = cut(rows, range(rows_a_batch, len(rows), rows_a_batch))
    plain = ProductLanes(
        PlainEngine().start(BTC, FEED),
        rules.tick,
        lambda market: [Lane(BTC, market, make(), rules=rules, settings=each) for make, each in made],
        at_once=at_once,
    )
    lanes: list[CompiledLane] = []
    engine = CompiledEngine()
    compiled = CompiledProduct(
        engine,
        engine.start(BTC, FEED),
        kernel_entry(),
        rules,
        made[0][1],
        lambda: [(make(), each, "strategy") for make, each in made],
        lanes.extend,
        at_once=at_once,
        keeps_rows=True,
    )
    for batch in batches:
        expected, found = plain.step(batch), compiled.step(batch)
        assert found.summaries == expected.summaries
    plain.finish()
    compiled.finish()
    said = [outcome(lane) for lane in plain.lanes]
    assert [outcome(lane) for lane in lanes] == said
    assert (compiled.tick, compiled.trades) == (plain.market.tick, plain.trades)
    assert compiled.sizes_cut == plain.market.sizes_cut
