"""The report of a pass: made before it, told of every step, written after it."""

from collections.abc import Sequence
from pathlib import Path

from orderbook.threshold import DEFAULT_THRESHOLD
from replay.comparison import Comparison
from replay.report.gathering import Bounds, Gathering
from replay.report.page import plotly_source
from replay.report.writing import write_report
from replay.rundir import refuse_existing


class Report:
    """One report to be. What would fail after the pass fails at once: a file that exists, plotly missing.

    Args:
        path: of the file.
        thresholds: that are compared.
        subjects: how many products of tapes there are; they share the file.
        detail: the threshold of which episodes are shown; None for 10 bps, or the middle one.

    Raises:
        RunError: where the file exists already, or its directory does not.
        ReportError: where plotly is missing.
    """

    def __init__(
        self, path: Path, thresholds: Sequence[float], subjects: int, detail: float | None = None
    ) -> None:
        refuse_existing(path)
        plotly_source()
        self._path = path
        self._thresholds = thresholds
        self._detail = _usual(thresholds) if detail is None else detail
        self._bounds = Bounds().shared(subjects)
        self._gathered: dict[Path, Gathering] = {}

    def of(self, tape: Path) -> Gathering:
        """Return what is to be told of each step of a tape."""
        self._gathered[tape] = Gathering(self._thresholds, self._detail, self._bounds)
        return self._gathered[tape]

    def write(self, comparison: Comparison, sort: str = "threshold") -> None:
        """Write the file.

        Args:
            comparison: the numbers of the pass, sorted.
            sort: the column by which they are.

        Raises:
            RunError: where the file exists by now.
            ReportError: where it cannot be written.
        """
        evidence = {tape: gathering.finish() for tape, gathering in self._gathered.items()}
        write_report(self._path, comparison, evidence, sort=sort)


def _usual(thresholds: Sequence[float]) -> float:
    """Return the threshold to show in detail where none is named: the default one, else the middle one."""
    ordered = sorted(thresholds)
    if DEFAULT_THRESHOLD in ordered or not ordered:
        return DEFAULT_THRESHOLD
    return ordered[len(ordered) // 2]
