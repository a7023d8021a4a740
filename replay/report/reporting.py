"""The report of a pass: made before it, told of every step, written after it."""

from collections.abc import Sequence
from pathlib import Path

from orderbook.engine import Step
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
        products: how many there are; they share the file.
        detail: the threshold of which episodes are shown; None for 10 bps, or the middle one.

    Raises:
        RunError: where the file exists already, or its directory does not.
        ReportError: where plotly is missing.
    """

    def __init__(
        self, path: Path, thresholds: Sequence[float], products: int, detail: float | None = None
    ) -> None:
        refuse_existing(path)
        plotly_source()
        self._path = path
        if detail is None:
            detail = _usual(thresholds)
        self._gathering = Gathering(thresholds, detail, Bounds().shared(products))

    def __call__(self, product: str, step: Step) -> None:
        """Take up a step of a product, in seq order."""
        self._gathering(product, step)

    def write(self, comparison: Comparison, sort: str = "threshold") -> None:
        """Write the file.

        Args:
            comparison: the numbers of the pass, sorted.
            sort: the column by which they are.

        Raises:
            RunError: where the file exists by now.
            ReportError: where it cannot be written.
        """
        write_report(self._path, comparison, self._gathering.finish(), sort=sort)


def _usual(thresholds: Sequence[float]) -> float:
    """Return the threshold to show in detail where none is named: the default one, else the middle one."""
    ordered = sorted(thresholds)
    if DEFAULT_THRESHOLD in ordered or not ordered:
        return DEFAULT_THRESHOLD
    return ordered[len(ordered) // 2]
