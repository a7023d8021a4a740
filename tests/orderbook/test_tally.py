"""A tally is the same however its rows are cut into batches, and counts what the oracle counts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.engine import PlainEngine
from orderbook.facts import Lags
from orderbook.tally import Tally, tally_table
from tests.endurance.forms import TIMEOUT_S
from tests.orderbook.test_tracker import SETTINGS
from tests.support import oracle
from tests.support import random_frames as strategies
from tests.support.constants import BTC
from tests.support.oracle import Row, Summary
from tests.support.rows import to_batch

ENGINE = PlainEngine()
THRESHOLD = 0.001


def tallied(rows: list[Row], cuts: list[int]) -> Tally:
    """Return the tally of rows in batches."""
    tally, state = Tally(THRESHOLD), ENGINE.start(BTC, "advanced")
    for start, stop in pairwise([0, *sorted(cuts), len(rows)]):
        state, step = ENGINE.step(state, to_batch(rows[start:stop]))
        tally.add(step)
    return tally


@pytest.mark.timeout(TIMEOUT_S)
@SETTINGS
@given(st.data())
def test_counts_are_those_of_the_oracle(data: st.DataObject) -> None:
    """Signals, observed time and faults by connection follow from the summaries and anomalies alone.

    How the rows are cut into batches makes no difference to any value of the JSON document or the table.
    """
    rows = data.draw(strategies.tape_rows("advanced"))
    tally, whole = (
        tallied(rows, data.draw(st.lists(st.integers(0, len(rows)), max_size=4))),
        tallied(rows, []),
    )
    assert tally.document() == whole.document()
    assert tally_table({BTC: tally}).equals(tally_table({BTC: whole}))
    run = oracle.replay(rows, BTC, "advanced")
    spreads = [row.relative_spread for row in run.summaries]
    assert tally.signals == sum(spread is not None and spread > THRESHOLD for spread in spreads)
    assert tally.observed_ns == sum(
        after.recv_time - before.recv_time
        for before, after in pairwise(run.summaries)
        if before.connection == after.connection
    )
    assert {kind: count for kind, count in tally.anomalies.items() if count} == {
        kind: sum(kind == each for _, each in run.anomalies) for _, kind in run.anomalies
    }
    facts = tally.take_facts()
    connections = {row.seq: row.connection for row in rows}
    expected: dict[int, dict[str, int]] = {}
    for seq, kind in run.anomalies:
        if kind in ("gap", "crossed", "malformed"):
            counts = expected.setdefault(connections[seq], {})
            counts[kind] = counts.get(kind, 0) + 1
    assert facts.faults == expected
    assert facts.lags == lags_of(run.summaries, connections)
    assert tally.take_facts() == ({}, set(), {})
    assert (tally.rows, tally.frames) == (len(rows), sum(row.kind == "frame" for row in rows))


def lags_of(summaries: list[Summary], connections: dict[int, int]) -> Lags:
    """Return the least and the greatest lag of each connection, one by one."""
    found: dict[int, list[int]] = {}
    for row in summaries:
        if row.exchange_time is not None:
            found.setdefault(connections[row.seq], []).append(row.recv_time - row.exchange_time)
    return {connection: (min(lags), max(lags)) for connection, lags in found.items()}
