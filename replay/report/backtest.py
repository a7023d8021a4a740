"""The report of a backtest: created before the pass, written after it.

What is drawn over time is that of the best settings, which are known only after the pass. So all lanes are
watched in the pass, as far as there is memory for them; of more, the best are run once more.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orderbook.engine import Engine
from orderbook.execution.codes import QueueModel
from recorder.runtime.loading import engine_for, load_engine
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.report.backtest_answer import Drawn
from replay.report.backtest_page import best_settings, page_of
from replay.report.collect.span import span
from replay.report.collect.traded import TradedLimits, TradedProduct
from replay.report.page import Page
from replay.report.render import check_plotly, render, write_page
from replay.run_dir.writer import refuse_existing
from replay.simulation.passes import run_product
from replay.simulation.results import Backtest
from replay.simulation.settings import BacktestSettings

MOST_DRAWN: Final = 4
"""Settings that are drawn over time."""

MOST_WATCHED: Final = 300
"""Lanes of all products that are watched in the pass; up to some 400 KB of each are kept."""


class BacktestReport:
    """The report of a backtest. What would fail after the pass fails at once.

    Args:
        path: file to write; None to make the page alone.
        tapes: the tapes.
        settings: what is run.

    Attributes:
        watches: whether the pass is watched; else the best settings are run again.

    Raises:
        RunError: if the file exists already, or its directory does not.
        ReportError: if plotly is not installed.
    """

    def __init__(self, path: Path | None, tapes: Sequence[Tape], settings: BacktestSettings) -> None:
        if path is not None:
            refuse_existing(path)
            check_plotly()
        self._path = path
        self._tapes = {tape.path: tape for tape in tapes}
        self._settings = settings
        subjects = sum(len(tape.select(settings.products)) for tape in tapes)
        self._limits = TradedLimits().shared(subjects)
        self.watches = len(settings.lanes()) * min(subjects, 2) <= MOST_WATCHED
        self._main: QueueModel = "share" if "share" in settings.queues else settings.queues[0]
        self._drawn: dict[tuple[Path, str], Drawn] = {}

    def watch(self, tape: Path, product: str) -> TradedProduct:
        """Return what watches the lanes of a product."""
        seen = TradedProduct(*self._span(tape, product), self._limits, self._main)
        self._drawn[tape, product] = Drawn(seen)
        return seen

    def write(self, result: Backtest, engine: Engine | EngineName, command: str | None) -> None:
        """Write the file; the best of many settings are run again for it.

        Args:
            result: the result, sorted.
            engine: runs them.
            command: the command line that started it, if one did.

        Raises:
            TapeError: if the tape cannot be read.
            StrategyError: if a strategy raises.
            RunError: if the file exists by now.
            ReportError: if the file cannot be written.
            InterruptedRunError: if a signal ended the run.
        """
        assert self._path is not None  # noqa: S101  who writes has named a file
        write_page(self._path, render(self.page(result, engine, command), "backtest.html"))

    def page(self, result: Backtest, engine: Engine | EngineName, command: str | None) -> Page:
        """Return the content of the file; the arguments are those of `write`."""
        if not self._drawn:
            stopped = threading.Event()
            with interruptible(stopped.set, "no report was written"):
                self._run_again(result, engine, stopped)
        synthetic = {path for path, tape in self._tapes.items() if tape.manifest.synthetic}
        return page_of(result, self._drawn, synthetic, command)

    def _run_again(self, result: Backtest, engine: Engine | EngineName, stopped: threading.Event) -> None:
        """Run the best settings of each product on each tape, watched."""
        rows = sum(tape.sealed_work(tape.select(self._settings.products)) for tape in self._tapes.values())
        running = load_engine(engine_for(rows, engine, executes=True), executes=True)
        for path, tape in self._tapes.items():
            for product in tape.select(self._settings.products):
                best = best_settings(result, path, product)[:MOST_DRAWN]
                if not best or stopped.is_set():
                    continue
                again = replace(
                    self._settings,
                    settings=tuple(self._settings.settings[number] for number in best),
                    by=None,
                    fewer_queues=dict.fromkeys(
                        range(1, len(best)), (self._main,)
                    ),  # the band is that of the best
                )
                seen = TradedProduct(*self._span(path, product), self._limits, self._main)
                run = run_product(tape, product, again, None, stopped.is_set, engine=running, observer=seen)
                digests = {
                    (best[each.setting], each.queue): each.lane.digest.hexdigest() for each in run.lanes
                }
                self._drawn[path, product] = Drawn(seen, best, digests)

    def _span(self, path: Path, product: str) -> tuple[int, int]:
        """Return the first and last time to trade on."""
        return span(self._tapes[path], self._settings.window, product)
