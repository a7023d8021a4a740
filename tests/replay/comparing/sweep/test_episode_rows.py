"""The episodes one by one are those of a plain loop, however the summaries come."""

import pickle
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.comparing.sweep.episode_rows import EpisodeRows, episode_schema
from tests.endurance.forms import cases
from tests.support import naive_sweep as naive
from tests.support.constants import SECOND
from tests.support.naive_sweep import Row
from tests.support.sweeps import HORIZONS, THRESHOLDS, summary_rows, timeline, to_batch


def found_rows(thresholds: Sequence[float], rows: Sequence[Row], cuts: Sequence[int]) -> list[dict[str, Any]]:
    """Return the episodes of rows that come in batches cut at `cuts`; times in nanoseconds."""
    taking = EpisodeRows(thresholds, tuple(HORIZONS.values()))
    batch = to_batch(rows)
    ends = [0, *sorted(cuts), len(rows)]
    batches = [taking.add(batch.slice(low, high - low)) for low, high in pairwise(ends)]
    return to_rows([*batches, taking.finish()])


def to_rows(batches: Sequence[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Return episodes in order of threshold and seq; times in nanoseconds."""
    schema = episode_schema(tuple(HORIZONS.values()))
    table = pa.Table.from_batches(batches, schema)
    for name in ("start", "end"):
        place = schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    plain: list[dict[str, Any]] = table.to_pylist()
    return sorted(plain, key=lambda row: (row["threshold"], row["seq"]))


def merged_rows(
    thresholds: Sequence[float], rows: Sequence[Row], cuts: Sequence[int], order: Callable[[int], int]
) -> list[dict[str, Any]]:
    """Return the same if each cut begins a piece, and `order(n)` chooses which of n neighbours merge next."""
    batch = to_batch(rows)
    batches: list[pa.RecordBatch] = []
    pieces: list[EpisodeRows] = []
    for low, high in pairwise([0, *sorted(cuts), len(rows)]):
        pieces.append(EpisodeRows(thresholds, tuple(HORIZONS.values()), is_piece=bool(pieces)))
        middle = (low + high) // 2
        batches += [
            pieces[-1].add(batch.slice(*each)) for each in ((low, middle - low), (middle, high - middle))
        ]
        pieces[-1] = pickle.loads(pickle.dumps(pieces[-1]))  # noqa: S301  our own
    while len(pieces) > 1:
        place = order(len(pieces) - 1)
        pieces[place].merge(pieces.pop(place + 1))
        batches.append(pieces[place].pop_complete())
    return to_rows([*batches, pieces[0].finish()])


def naive_rows(thresholds: Sequence[float], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what they must be."""
    made = []
    connections = naive.connections_of(rows)
    for threshold in sorted(thresholds):
        for index, duration in naive.episodes(threshold, rows):
            row = rows[index]
            run = []
            for each in rows[index:]:
                if each.connection != row.connection or each.spread is None or not each.spread > threshold:
                    break
                run.append(each.spread)
            changes = {label: naive.change(connections, row, horizon) for label, horizon in HORIZONS.items()}
            made.append(
                {
                    "seq": index,
                    "connection": row.connection,
                    "start": row.time_ns,
                    "end": row.time_ns + duration,
                    "signals": len(run),
                    "threshold": threshold,
                    "duration_s": duration / 1e9,
                    "max_relative_spread": max(run),
                    "mid": row.mid,
                    "bid_size": round((row.bid_size or 0) * 1e8) / 1e8,
                    "ask_size": round((row.ask_size or 0) * 1e8) / 1e8,
                    **{
                        f"markout_{label}_bps": None if value is None else value / 1e6
                        for label, value in changes.items()
                    },
                }
            )
    return made


@settings(max_examples=cases(100, 40))
@given(summary_rows(), THRESHOLDS, st.data())
def test_equals_brute_force(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Every episode of every threshold is there once, with its numbers, wherever batches are cut."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    asked = sorted({abs(threshold) for threshold in thresholds})
    assert found_rows(asked, rows, cuts) == naive_rows(asked, rows)


@settings(max_examples=cases(100, 40))
@given(summary_rows(), THRESHOLDS, st.data())
def test_pieces_merge(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Pieces cut anywhere and merged in any order have every episode once, joined where it was cut."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5))
    asked = sorted({abs(threshold) for threshold in thresholds})
    found = merged_rows(asked, rows, cuts, lambda number: data.draw(st.integers(0, number - 1)))
    assert found == naive_rows(asked, rows)


def test_a_row_comes_once_it_is_whole() -> None:
    """An episode is given once it has closed and its longest horizon has passed, and only once."""
    taking = EpisodeRows([0.001], (SECOND, 3 * SECOND))
    rows = timeline(0.0, 0.002, 0.0, 0.0, 0.0, 0.0)
    given_at = [taking.add(to_batch([row])).num_rows for row in rows]
    assert given_at == [0, 0, 0, 0, 0, 1]  # the summary at 3 s may have a successor at the same time
    assert taking.finish().num_rows == 0


def test_without_horizons() -> None:
    """Without mark-outs an episode is given as it closes; an open one ends where the last summary is."""
    taking = EpisodeRows([0.001], ())
    assert taking.add(to_batch(timeline(0.002, 0.002, 0.0, 0.002))).num_rows == 1
    [row] = taking.finish().select(["signals", "duration_s"]).to_pylist()
    assert row == {"signals": 1, "duration_s": 0.0}
    assert EpisodeRows([0.001], ()).finish().num_rows == 0
