"""One pass over the summaries finds for each threshold what a plain loop for it finds."""

import pickle
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.errors import ThresholdError
from replay.comparing.metrics import By
from replay.comparing.sweep import bins, durations, episodes, exact, spread_times
from replay.comparing.sweep import threshold_sweep as sweep_module
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from tests.endurance.forms import cases
from tests.support import naive_sweep as naive
from tests.support.constants import SECOND
from tests.support.naive_sweep import Row
from tests.support.sweeps import (
    HORIZONS,
    START,
    THRESHOLDS,
    assert_equal,
    run,
    summary_rows,
    sweep_over,
    timeline,
    to_batch,
)


@pytest.fixture(scope="module", autouse=True)
def _each_batch_by_itself() -> Iterator[None]:
    """Process each batch at once: the cuts between small batches are what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_module, "ENOUGH_ROWS", 1)
        yield


@settings(max_examples=cases(100, 40))
@given(summary_rows(), THRESHOLDS, st.none() | st.sampled_from([0.0, 0.00005, 0.00075, 0.1]), st.data())
def test_equals_brute_force(
    rows: list[Row], thresholds: list[float], fee: float | None, data: st.DataObject
) -> None:
    """Every number equals that of a plain loop for one threshold."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episodes, "_MIN_PAIRS", data.draw(st.sampled_from([0, 32])))
        [result] = sweep_over(thresholds, rows, cuts, fee).finish()
    asked = list(dict.fromkeys(thresholds))
    for found, threshold in zip(result.statistics, asked, strict=True):
        assert_equal(found.row(), naive.numbers(threshold, rows, HORIZONS, fee))
    assert msgspec.structs.asdict(result.spread) == naive.quantiles(rows)
    assert result.observed_ns == sum(naive.intervals(rows, naive.WHOLE))
    assert result.crossed == sum(
        row.bid is not None and row.ask is not None and row.bid > row.ask for row in rows
    )


@settings(max_examples=cases(40, 20))
@given(summary_rows(), THRESHOLDS, st.sampled_from(["hour", "day", "connection"]))
def test_parts_equal_brute_force(rows: list[Row], thresholds: list[float], by: By) -> None:
    """Every number of every part does too, and the whole is what it is without parts."""
    *parts, whole = sweep_over(thresholds, rows, by=by, fee=0.0005).finish()
    assert repr(whole) == repr(sweep_over(thresholds, rows, fee=0.0005).finish()[0])
    for result in parts:
        assert result.part is not None
        period = {"hour": 3600, "day": 86400}.get(by, 0) * SECOND
        part = naive.clock_part(result.part, period) if period else naive.connection_part(result.part)
        for found in result.statistics:
            assert_equal(found.row(), naive.numbers(found.threshold, rows, HORIZONS, 0.0005, part))
        assert msgspec.structs.asdict(result.spread) == naive.quantiles(rows, part)
    assert sum(result.observed_ns for result in parts) == whole.observed_ns
    if rows and by == "connection":
        assert [result.part for result in parts] == sorted({row.connection for row in rows})


@settings(max_examples=cases(40, 12))
@given(summary_rows(), THRESHOLDS, st.data())
def test_batches_leave_no_trace(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """Results are the same bit for bit in one batch, in pieces of any size, and with batches cut inside."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=10))
    whole = repr(run(thresholds, rows))
    assert repr(run(thresholds, rows, cuts)) == whole
    assert repr(run(thresholds, rows, range(len(rows)))) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_module, "ENOUGH_ROWS", 5)
        assert repr(run(thresholds, rows, cuts)) == whole
        patch.setattr(exact, "MAX_ROWS", 3)
        assert repr(run(thresholds, rows)) == whole
        patch.setattr(exact, "MAX_ROWS", 65_536)
        patch.setattr(episodes, "_MIN_PAIRS", 0)
        assert repr(run(thresholds, rows)) == whole


@settings(max_examples=cases(100, 25))
@given(summary_rows(), THRESHOLDS, st.sampled_from([None, "hour", "connection"]), st.booleans(), st.data())
def test_merge(
    rows: list[Row], thresholds: list[float], by: By | None, few: bool, data: st.DataObject
) -> None:
    """Adjacent parts, merged in any order, give what the whole gives, bit for bit: cut wherever it may be."""
    cuts = data.draw(st.lists(st.integers(0, len(rows)), min_size=1, max_size=6))
    ends = [0, *sorted(cuts), len(rows)]
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(durations, "MAX_EXACT", 5)
            patch.setattr(episodes, "_MIN_PAIRS", 0)
            patch.setattr(spread_times, "MAX_DISTINCT", 3)
        whole = sweep_over(thresholds, rows, by=by, fee=0.0005).finish()
        sweeps = [sweep_over(thresholds, rows[low:high], by=by, fee=0.0005) for low, high in pairwise(ends)]
        while len(sweeps) > 1:
            at = data.draw(st.integers(0, len(sweeps) - 2))
            later = pickle.loads(pickle.dumps(sweeps.pop(at + 1)))  # noqa: S301  our own; as from a process
            sweeps[at].merge(later)
        assert repr(sweeps[0].finish()) == repr(whole)


@settings(max_examples=cases(40, 15))
@given(summary_rows(), summary_rows(), THRESHOLDS)
def test_merge_of_two_tapes(first: list[Row], second: list[Row], thresholds: list[float]) -> None:
    """Two tapes add up, and nothing spans both: as if their connections had numbers of their own."""
    merged = sweep_over(thresholds, first)
    merged.merge(sweep_over(thresholds, second), is_adjacent=False)
    joined = [*first, *(row._replace(connection=row.connection + 1000) for row in second)]
    for found, threshold in zip(merged.finish()[-1].statistics, dict.fromkeys(thresholds), strict=True):
        assert_equal(found.row(), naive.numbers(threshold, joined, HORIZONS))


def test_merge_needs_equal_settings() -> None:
    """Sweeps of different settings cannot be merged."""
    for other in (ThresholdSweep([0.1], (1,)), ThresholdSweep([0.2]), ThresholdSweep([0.1], by="hour")):
        with pytest.raises(ThresholdError, match="can be merged if"):
            ThresholdSweep([0.1]).merge(other)


@settings(max_examples=cases(40, 15))
@given(summary_rows(), THRESHOLDS)
def test_thresholds_do_not_touch_each_other(rows: list[Row], thresholds: list[float]) -> None:
    """A threshold's numbers are the same bit for bit alone and among others."""
    alone = [run([threshold], rows)[0] for threshold in dict.fromkeys(thresholds)]
    assert repr(run(thresholds, rows)) == repr(alone)


@settings(max_examples=cases(40, 15))
@given(summary_rows(), THRESHOLDS, st.data())
def test_finish_changes_nothing(rows: list[Row], thresholds: list[float], data: st.DataObject) -> None:
    """The results so far can be taken at any time, and more summaries added after that."""
    middle = data.draw(st.integers(0, len(rows)))
    sweeping = sweep_over(thresholds, rows[:middle])
    assert sweeping.finish() == sweeping.finish() == sweep_over(thresholds, rows[:middle]).finish()
    sweeping.add(to_batch(rows[middle:]))
    assert sweeping.finish() == sweep_over(thresholds, rows).finish()


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep does not need more memory after three times as many summaries."""
    for module, name in ((durations, "MAX_EXACT"), (spread_times, "MAX_DISTINCT"), (bins, "_MAX_PENDING")):
        monkeypatch.setattr(module, name, 500)
    random = np.random.default_rng(7)
    sweeping = ThresholdSweep([0.0, 0.0005, 0.0015, 0.0025], (SECOND, 60 * SECOND))
    sizes = []
    for block in range(40):
        spreads = random.uniform(0, 0.003, 1000).tolist()
        sweeping.add(to_batch(timeline(*spreads, start=START + block * 1000 * SECOND)))
        sizes.append(len(pickle.dumps(sweeping)))
    assert max(sizes[20:]) < 1.1 * max(sizes[10:20])  # bins fill at first
