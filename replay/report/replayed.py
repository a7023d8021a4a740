"""A replay's one threshold as a comparison: the same numbers, by the same sweep."""

from pathlib import Path

from orderbook.engine import Step
from recorder.tape.reader import Tape
from replay.compared import TapePass
from replay.comparison import DEFAULT_HORIZONS_NS, CompareSettings, Comparison
from replay.grouping import Pass, groups_of
from replay.replayed import RunResult
from replay.report.reporting import Report
from replay.sweep.sweeping import ThresholdSweep


class ReplayReport:
    """The report of a replay; told of every step.

    Args:
        path: of the file.
        tape: that is replayed.
        threshold: what is a signal.
        products: how many there are.

    Raises:
        RunError: where the file exists already, or its directory does not.
        ReportError: where plotly is missing.
    """

    def __init__(self, path: Path, tape: Path, threshold: float, products: int) -> None:
        self._threshold = threshold
        self._report = Report(path, [threshold], products, threshold)
        self._gathering = self._report.of(tape)
        self._sweeps: dict[str, ThresholdSweep] = {}

    def __call__(self, product: str, step: Step) -> None:
        """Take up a step of a product, in seq order."""
        self._gathering(product, step)
        if product not in self._sweeps:
            self._sweeps[product] = ThresholdSweep([self._threshold], DEFAULT_HORIZONS_NS)
        self._sweeps[product].add(step.summaries)

    def write(self, result: RunResult, command: str | None) -> None:
        """Write the file.

        Args:
            result: of the replay.
            command: that it was made by.

        Raises:
            RunError: where the file exists by now.
            ReportError: where it cannot be written.
        """
        settings = CompareSettings((self._threshold,), result.settings.products, result.settings.window)
        tallies = {product: result.tallies[product] for product in self._sweeps}
        comparison = Comparison(settings, result.engine, [TapePass(result.tape, tallies)], command=command)
        comparison.groups = groups_of([Pass(Tape.open(result.tape), self._sweeps, tallies)], None)
        comparison.elapsed_s = result.elapsed_s
        self._report.write(comparison)
