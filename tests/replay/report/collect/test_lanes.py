"""What a report keeps of lanes: the compiled exchange leaves out what it does not need, and nothing else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.execution.codes import QueueModel
from replay.report.collect.lanes import LaneEvidence, LanesEvidence
from replay.report.collect.resting import Rested
from tests.endurance.forms import TIMEOUT_S, cases
from tests.support.constants import MS
from tests.support.exchange_engines import compiled_lanes, plain_lanes, random_lanes
from tests.support.execution_cases import FEEDS, random_case

CUTS = (1, 17, 10_000)


def kept(evidence: LanesEvidence, lanes: Any, queues: list[QueueModel]) -> list[tuple[Any, ...]]:
    """Return all that is kept of each lane."""
    found = []
    for number, (lane, queue) in enumerate(zip(lanes, queues, strict=True)):
        own = LaneEvidence(evidence, number, queue, lane.account.start, lane.totals)
        fills = [(each.fill, each.number, each.time, each.how) for each in own.fills.kept]
        rested = [shown(each) for each in own.resting.found()] if queue in evidence.wanted.rested_of else []
        series = [array.tolist() for each in (own.equity(), own.position()) for array in each]
        orders = [(each.number, each.rested, each.ended, each.filled) for each in own.orders.kept]
        found.append((own.stages, own.orders.seen, orders, own.fills.seen, fills, rested, series))
    return found


def shown(rested: Rested) -> tuple[int, ...]:
    """Return what is shown of an order, or of several."""
    if rested.rows == 1:
        return tuple(rested)
    return rested.side, rested.low, rested.high, rested.start, rested.end, rested.rows


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("feed_order", FEEDS)
@given(
    seed=st.integers(0, 2**32),
    cut=st.sampled_from(CUTS),
    most=st.integers(2, 6),
    span=st.sampled_from((0, 10_000 * MS)),
)
@settings(max_examples=cases(400, 4), deadline=None)
def test_equals_what_is_kept_of_all_rows(feed_order: str, seed: int, cut: int, most: int, span: int) -> None:
    """Stages, orders, fills, how orders rested and money are those of the plain exchange, with all rows."""
    case = random_case(seed, feed_order)
    rules, made = random_lanes(case, seed)
    queues = [each.queue for _, each in made]
    whole, reduced = (LanesEvidence(most, most, most, most, span, "share") for _ in range(2))
    _, plain = plain_lanes(case, rules, made)
    for number, lane in enumerate(plain):
        whole.add_rows(number, lane.rows)
    compiled = compiled_lanes(case, rules, made, cut, [reduced])
    assert kept(reduced, compiled.lanes, queues) == kept(whole, plain, queues)
