"""Every column of `compare` is one entry of the registry."""

from typing import get_type_hints

import pyarrow as pa
import pytest

from replay.comparing.metrics import (
    ALL_METRICS,
    MARKOUT_METRICS,
    PLACES,
    QUALITY_METRICS,
    THRESHOLD_METRICS,
    By,
    markdown_table,
    row_schema,
    sort_columns,
    threshold_metrics,
)
from replay.comparing.results import Quality
from replay.comparing.sweep.statistics import MarkOut, ThresholdStatistics
from tests.support.constants import ROOT, SECOND

TYPES = {int: pa.int64(), float: pa.float64(), float | None: pa.float64(), bool: pa.bool_()}


def test_docs() -> None:
    """The table of docs/numbers.md is what `python -m replay.comparing.metrics` prints."""
    assert markdown_table() in (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")


def test_every_number_has_an_entry() -> None:
    """The fields that are computed are the entries, in the same order and of the same types."""
    hints = get_type_hints(ThresholdStatistics)
    fields = {name: TYPES[hints[name]] for name in ThresholdStatistics._fields[:-2]}
    assert list(fields.items()) == [(each.name, each.kind.dtype) for each in THRESHOLD_METRICS]
    assert [f"markout_<horizon>_{name}" for name in MarkOut._fields[2:]] == [
        each.name for each in MARKOUT_METRICS
    ]
    assert [each.name for each in QUALITY_METRICS] == list(Quality.__struct_fields__[:-1])
    assert len({each.name for each in ALL_METRICS}) == len(ALL_METRICS)


@pytest.mark.parametrize("by", [None, "hour", "day", "connection"])
def test_columns(by: By | None) -> None:
    """A row names its place first, then the threshold, the mark-outs of each horizon and the quality."""
    names = row_schema((SECOND, 60 * SECOND), by, has_tapes=True).names
    places = ["product", "tape", *([by] if by else [])]
    assert names[: len(places)] == places
    assert {each.name for each in PLACES} - set(places) == {"hour", "day", "connection"} - {by}
    rest = names[len(places) :]
    assert rest[0] == "threshold"
    assert rest[-4:] == ["excluded_s", "interruptions", "crossed", "verdict"]
    assert rest[len(THRESHOLD_METRICS) :: len(MARKOUT_METRICS)][:2] == [
        "markout_1s_episodes",
        "markout_1m_episodes",
    ]


def test_sorting() -> None:
    """Rows are sorted by numbers that order thresholds, the threshold alone ascending."""
    columns = sort_columns((SECOND,))
    assert [name for name, direction in columns.items() if direction == "ascending"] == ["threshold"]
    assert "markout_1s_mean_bps" in columns
    assert not columns.keys() & {"durations_exact", "observed_s", "markout_1s_left_out", "verdict"}


def test_cells() -> None:
    """A cell shows a number in its unit for people, with its standard error, and null as a dash."""
    metrics = {each.name: each for each in threshold_metrics((SECOND,))}
    row = {"threshold": 0.00123, "share": 0.5, "mean_bid_size": 12345.6, "mean_ask_size": 0.123456} | {
        "markout_1s_mean_bps": -0.5,
        "markout_1s_standard_error_bps": 0.25,
        "duration_p50_s": None,
    }
    cells = {name: metrics[name].cell(row) for name in row}
    assert cells == {
        "threshold": "12.3 bps",
        "share": "50.00",
        "mean_bid_size": "12,346",
        "mean_ask_size": "0.1235",
        "markout_1s_mean_bps": "-0.5000 ±0.2500",
        "markout_1s_standard_error_bps": "0.2500",
        "duration_p50_s": "-",
    }
    assert metrics["share"].heading == "share (%)"
