"""Figures over time: a line is never drawn across time without a book."""

from itertools import pairwise

from hypothesis import given, settings

from replay.report.collect.evidence import Evidence, Limits
from replay.report.figures.chart import Subject
from replay.report.figures.marks import seen_marks
from replay.report.figures.prices import spread_figure
from replay.report.figures.series import milliseconds
from tests.support.report_rows import Row, cut_rows, step_of

THRESHOLDS = [0.001, 0.002]


@settings(max_examples=30)
@given(cut_rows())
def test_no_line_crosses_a_gap(batches: list[list[Row]]) -> None:
    """Between the last point before a gap and the first one after it the line is interrupted."""
    evidence = Evidence(THRESHOLDS, THRESHOLDS[0], Limits())
    for rows in batches:
        evidence.add(step_of(rows))
    evidence.flush()
    subject = Subject("p0", [], evidence, [])
    figure = spread_figure(subject, evidence)
    for line in (seen_marks(subject).get(trace.get("same", ""), trace) for trace in figure["data"]):
        points = list(zip(line["x"], line["y"], strict=True))
        for gap in evidence.gaps.found():
            start, end = milliseconds(gap.start), milliseconds(gap.end)
            for (x0, y0), (x1, y1) in pairwise(points):
                assert y0 is None or y1 is None or max(x0, x1) <= start or min(x0, x1) >= end
    shaded = [(shape["x0"], shape["x1"]) for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert shaded == [(milliseconds(gap.start), milliseconds(gap.end)) for gap in evidence.gaps.found()]
