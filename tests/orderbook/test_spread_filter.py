"""The spread filter passes what is above the threshold, and nothing else."""

import pickle
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.schema import FLOW_SUMMARY_SCHEMA, SUMMARY_SCHEMA
from orderbook.spread_filter import above
from orderbook.threshold import parse_threshold


def summaries(spreads: Sequence[float | None], schema: pa.Schema = FLOW_SUMMARY_SCHEMA) -> pa.RecordBatch:
    """Return summaries that differ in seq and have these relative spreads."""
    rows = [
        dict.fromkeys(schema.names)
        | {"seq": seq, "recv_time": seq, "relative_spread": spread, "connection": 0}
        for seq, spread in enumerate(spreads)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


@pytest.mark.parametrize("schema", [SUMMARY_SCHEMA, FLOW_SUMMARY_SCHEMA])
def test_whole_rows_pass(schema: pa.Schema) -> None:
    """Rows above the threshold pass as they are, in their order, with all their columns."""
    batch = summaries([0.002, 0.0, 0.0011], schema)
    passed = above(batch, 0.001)
    assert passed.schema == schema
    assert passed.equals(batch.take(pa.array([0, 2])))


@pytest.mark.parametrize("text", ["0.1%", "10bps", "0.001"])
def test_equal_is_not_above(text: str) -> None:
    """A summary at exactly the threshold does not pass, the next float above it does."""
    next_float = 0.0010000000000000002
    assert above(summaries([0.001, next_float]), parse_threshold(text)).column("seq").to_pylist() == [1]


def test_what_never_passes() -> None:
    """One-sided, locked and crossed books pass no threshold, not even 0."""
    assert above(summaries([None, 0.0, -0.0, -0.5, float("nan")]), 0.0).num_rows == 0
    assert above(summaries([1e-12]), 0.0).num_rows == 1


@given(
    st.lists(st.none() | st.sampled_from([-0.001, 0.0, 0.001, 0.002]) | st.floats(-1, 1)),
    st.sampled_from([0.0, 0.001, 0.002]) | st.floats(0, 1),
)
def test_equals_a_plain_loop(spreads: list[float | None], threshold: float) -> None:
    """The filter is `relative_spread > threshold` row by row."""
    expected = [seq for seq, spread in enumerate(spreads) if spread is not None and spread > threshold]
    assert above(summaries(spreads), threshold).column("seq").to_pylist() == expected


@pytest.mark.parametrize("spread", [0.5, 0.0])
def test_result_is_no_slice(spread: float) -> None:
    """What passes does not carry the buffers of what it came from, whether all of it passes or nothing."""
    large = summaries([0.5] * 10 + [0.0] * 5_000)
    assert len(pickle.dumps(above(large, 0.001))) < 5_000
    part = summaries([spread] * 5_000).slice(100, 10)
    passed = above(part, 0.001)
    assert passed.num_rows == (10 if spread else 0)
    assert len(pickle.dumps(passed)) < 5_000
    assert all(column.offset == 0 for column in passed.columns)
