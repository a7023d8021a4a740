"""Summaries with random times, spreads and connections, for the tests of the report."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from orderbook.engine import RowSpan, Step
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA, empty_batch
from tests.support.constants import START


@dataclass(frozen=True)
class Row:
    """The fields of a summary that a report collects."""

    time: int
    spread: float  # NaN if a side is empty
    connection: int


@st.composite
def rows_of(draw: st.DrawFn) -> list[Row]:
    """Draw summaries of several connections, in order of time."""
    rows, time, connection = [], START, 0
    for _ in range(draw(st.integers(1, 60))):
        time += draw(st.sampled_from((0, 1, 10**6, 10**9, 7 * 10**9, 4000 * 10**9)))
        connection += draw(st.sampled_from((0, 0, 0, 0, 1)))
        spread = draw(st.sampled_from((-0.001, 0.0, 0.0005, 0.001, 0.002, 0.003, math.nan)))
        rows.append(Row(time, spread, connection))
    return rows


@st.composite
def cut_rows(draw: st.DrawFn) -> list[list[Row]]:
    """Draw summaries, cut into batches."""
    rows = draw(rows_of())
    cuts = sorted(draw(st.sets(st.integers(1, len(rows)), max_size=6)) | {0, len(rows)})
    return [rows[start:end] for start, end in pairwise(cuts)]


def times_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the times of rows."""
    return np.array([row.time for row in rows], np.int64)


def spreads_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the spreads of rows."""
    return np.array([row.spread for row in rows], np.float64)


def connections_of(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the connections of rows."""
    return np.array([row.connection for row in rows], np.int64)


def step_of(rows: list[Row]) -> Step:
    """Return a step with these summaries."""
    times, spreads = times_of(rows), spreads_of(rows)
    prices = np.ones(len(rows))
    columns = {"seq": np.arange(len(rows)), "recv_time": times, "exchange_time": times, "spread": spreads}
    columns |= dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), prices)
    columns |= {"relative_spread": spreads, "connection": connections_of(rows).astype(np.int32)}
    arrays = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
    summaries = pa.RecordBatch.from_pydict(arrays, FLOW_SUMMARY_SCHEMA)
    return Step(RowSpan(rows=len(rows)), summaries, empty_batch(FLOW_ANOMALY_SCHEMA), frozenset(), 0, 0)
