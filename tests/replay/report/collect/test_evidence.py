"""What a report collects of a pass, however its steps are cut."""

from hypothesis import given, settings

from replay.report.collect.evidence import Evidence, Limits
from tests.support.report_rows import Row, cut_rows, step_of

THRESHOLDS = [0.001, 0.002]


@settings(max_examples=30)
@given(cut_rows())
def test_evidence_does_not_depend_on_batches(batches: list[list[Row]]) -> None:
    """However the summaries come, flushed at any time, the same is shown."""
    cut, whole = (Evidence(THRESHOLDS, THRESHOLDS[0], Limits()) for _ in range(2))
    for rows in batches:
        cut.add(step_of(rows))
        cut.flush()
    whole.add(step_of([row for rows in batches for row in rows]))
    whole.flush()
    assert [part.tolist() for part in cut.spreads.points()] == [
        part.tolist() for part in whole.spreads.points()
    ]
    assert cut.gaps.found() == whole.gaps.found()
    assert cut.hours.shares() == whole.hours.shares()
    assert cut.episodes.durations == whole.episodes.durations
