"""Figures against the threshold and of durations: every episode is counted in the bin that holds it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orderbook.times import NS
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.report.collect.episodes import LongestEpisodes, duration_bin
from replay.report.figures.by_threshold import duration_counts, histogram_figure, row_in_detail


def test_a_row_stands_for_the_thresholds_with_the_same_signals() -> None:
    """The row at or above the threshold in detail is told of; above all rows there is none."""
    rows = ThresholdSweep([0.001, 0.002, 0.003]).finish()[-1].statistics
    found = [row_in_detail(rows, detail) for detail in (None, 0.0005, 0.002, 0.0025, 0.004)]
    assert found == [None, rows[0], rows[1], rows[2], None]


@given(st.lists(st.integers(0, 10**14), max_size=30))
def test_every_duration_is_in_its_bin(durations: list[int]) -> None:
    """Bins follow one another without a hole from the shortest to the longest, those of 0 s apart."""
    episodes = LongestEpisodes(0.001, 1)
    episodes.durations = Counter(map(duration_bin, durations))
    counts = duration_counts(episodes)
    assert sum(count for _, count in counts) == len(durations)
    assert dict(counts).get("0", 0) == durations.count(0)
    edges = [float(edge) for edge, _ in counts if edge != "0"]
    assert edges == sorted(set(edges))
    bins = [(float(edge), count) for edge, count in counts if edge != "0"]
    for place, (edge, count) in enumerate(bins):
        after = edges[place + 1] if place + 1 < len(edges) else float("inf")
        # The edges are rounded to three digits.
        assert sum(edge * 0.99 <= each / NS <= after * 1.01 for each in durations) >= count
    (bars,) = histogram_figure(episodes)["data"]
    assert list(zip(bars["x"], bars["y"], strict=True)) == counts
