"""The report of a comparison or a replay: created before a pass, shown every step, written after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from orderbook.engine import Step
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.tape.reader import Tape
from replay.comparing.groups import Pass, groups_of
from replay.comparing.results import Comparison, TapePass
from replay.comparing.settings import DEFAULT_HORIZONS_NS, CompareSettings
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.report.collect.evidence import Evidence, EvidenceCollector, Limits
from replay.report.collect.span import span
from replay.report.comparison_page import page_of
from replay.report.page import Page
from replay.report.render import check_plotly, render, write_page
from replay.run_dir.writer import refuse_existing
from replay.running.results import RunResult
from replay.running.window import WHOLE, Window


class Report:
    """The report of a comparison.

    What would fail after the pass fails at once: a file that exists already, or plotly missing.

    Args:
        path: file to write; None to make the page alone.
        thresholds: the thresholds compared, fractions of the best ask.
        subjects: number of products over all tapes; they share the space of the file.
        detail: threshold whose episodes are shown; None for that of `details`, else 10 bps, or the middle
            threshold.
        details: threshold whose episodes are shown by product, if each has its own.
        window: the part of each tape.

    Raises:
        RunError: if the file exists already, or its directory does not.
        ReportError: if plotly is not installed.
    """

    def __init__(
        self,
        path: Path | None,
        thresholds: Sequence[float],
        subjects: int,
        detail: float | None = None,
        details: Mapping[str, float] = MappingProxyType({}),
        window: Window = WHOLE,
    ) -> None:
        self._window = window
        if path is not None:
            refuse_existing(path)
            check_plotly()
        self._path = path
        self._thresholds = thresholds
        self._details = details if detail is None else {}
        self._detail = _default_detail(thresholds) if detail is None else detail
        self._limits = Limits().shared(subjects)
        self._collectors: dict[Path, EvidenceCollector] = {}

    def watch(self, tape: Path) -> EvidenceCollector:
        """Return the function to call with each product and step of a tape."""
        self._collectors[tape] = EvidenceCollector(
            self._thresholds,
            self._detail,
            self._limits,
            self._details,
            partial(span, Tape.open(tape), self._window),
        )
        return self._collectors[tape]

    def write(self, comparison: Comparison, sort: str = "threshold") -> None:
        """Write the file.

        Args:
            comparison: the numbers of the pass, sorted.
            sort: the column by which they are sorted.

        Raises:
            RunError: if the file exists by now.
            ReportError: if the file cannot be written.
        """
        assert self._path is not None  # noqa: S101  who writes has named a file
        write_page(self._path, render(self.page(comparison, sort)))

    def page(self, comparison: Comparison, sort: str = "threshold") -> Page:
        """Return the content of the file; the arguments are those of `write`."""
        evidence = {tape: collector.finish() for tape, collector in self._collectors.items()}
        for group in comparison.groups:
            if group.tape is not None and group.outage is not None:
                evidence[group.tape][group.product].gaps.end(group.outage.start, group.outage.end)
        return page_of(comparison, evidence, sort)


@dataclass(slots=True)
class _Collected:
    """What the report of a replay shows of a product; picklable."""

    evidence: Evidence
    sweep: ThresholdSweep

    def add(self, step: Step) -> None:
        """Add the next step."""
        self.evidence.add(step)
        self.sweep.add(step.summaries)


@dataclass(frozen=True, slots=True)
class _ReplayCollector:
    """Makes what collects the steps of a product; picklable."""

    collector: EvidenceCollector
    threshold: float

    def begin(self, product: str) -> _Collected:
        """Return what collects the steps of a product, empty."""
        return _Collected(
            self.collector.begin(product), ThresholdSweep([self.threshold], DEFAULT_HORIZONS_NS)
        )


class ReplayReport:
    """The report of a replay: a comparison of its one threshold, computed by the same sweep.

    Args:
        path: file to write.
        tape: the tape that is replayed.
        threshold: fraction of the best ask above which a summary is a signal.
        products: number of products replayed.

    Raises:
        RunError: if the file exists already, or its directory does not.
        ReportError: if plotly is not installed.
    """

    def __init__(self, path: Path, tape: Tape, threshold: float, products: int) -> None:
        self._threshold = threshold
        self._report = Report(path, [threshold], products, threshold)
        self._tape = tape
        self._collector = self._report.watch(tape.path)
        self._found: dict[str, _Collected] = {}

    def __call__(self, product: str, step: Step) -> None:
        """Add a step of a product, in seq order."""
        if product not in self._found:
            self._found[product] = self.begin(product)
        self._found[product].add(step)

    def begin(self, product: str) -> _Collected:
        """Return what collects the steps of a product, empty."""
        return self.to_send().begin(product)

    def to_send(self) -> _ReplayCollector:
        """Return what workers need to collect the steps of a product."""
        return _ReplayCollector(self._collector, self._threshold)

    def put(self, product: str, collected: _Collected) -> None:
        """Take what a worker has collected of a product."""
        self._found[product] = collected

    def write(self, result: RunResult, command: str | None) -> None:
        """Write the file.

        Args:
            result: the result of the replay.
            command: the command line that started it, if one did.

        Raises:
            RunError: if the file exists by now.
            ReportError: if the file cannot be written.
        """
        settings = CompareSettings((self._threshold,), result.settings.products, result.settings.window)
        for product, each in self._found.items():
            self._collector.put(product, each.evidence)
        sweeps = {product: each.sweep for product, each in self._found.items()}
        tallies = {product: result.tallies[product] for product in self._found}
        comparison = Comparison(
            settings,
            result.engine,
            [TapePass(result.tape, tallies, result.synthetic)],
            groups_of([Pass(self._tape, sweeps, tallies)], None),
            command=command,
            elapsed_s=result.elapsed_s,
        )
        self._report.write(comparison)


def _default_detail(thresholds: Sequence[float]) -> float:
    """Return the threshold to show in detail: the default one if it is compared, else the middle one."""
    ordered = sorted(thresholds)
    if DEFAULT_THRESHOLD in ordered or not ordered:
        return DEFAULT_THRESHOLD
    return ordered[len(ordered) // 2]
