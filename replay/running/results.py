"""The result of a replay."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.display import plural, products_title
from orderbook.document import Document
from orderbook.result import Result
from orderbook.tally import Tally, TallyDocument, products_with_rows, tally_documents, tally_table
from orderbook.thresholds import format_threshold
from recorder.installed import tapes_title
from recorder.runtime.strategy_run import StrategyDocument, StrategyRun
from replay.running.lateness import PacingDocument, Timing
from replay.running.settings import ReplaySettings, SettingsDocument

if TYPE_CHECKING:
    from replay.report.plots import ReplayPlots


class RunDocument(Document, frozen=True):
    """The JSON form of `RunResult`, also in RUN/run.json.

    Attributes:
        synthetic: whether a synthetic exchange sent the frames: no price was ever quoted.
        products: counts and digest by product.
        strategy: the rows of a strategy; null without one.
        strategy_digest: digest of the strategy's rows, hex; null without one, or if it failed.
    """

    tape: str
    synthetic: bool
    digest: str
    settings: SettingsDocument
    engine: str
    products: dict[str, TallyDocument]
    elapsed_s: float
    frames_per_s: float
    pacing: PacingDocument | None
    strategy: StrategyDocument | None
    strategy_digest: str | None


@dataclass(slots=True, repr=False)
class RunResult(Result):
    """The result of a replay.

    Attributes:
        tape: path of the tape.
        synthetic: whether a synthetic exchange sent its frames.
        settings: the settings of the replay.
        engine: name of the engine that ran the books.
        tallies: counts and digest by product.
        elapsed_s: wall time of the flow, in seconds.
        timing: how the replay kept to its clock; None if it was not paced.
        strategy: the strategy's digests, if there was one.
        summaries, signals, anomalies, strategy_rows: Arrow tables by product, if they were kept; of a
            strategy for the products that have rows.
        depth: the best levels by product (see `orderbook.depth`), if the settings ask for them.
        trades: the trades of others by product, if the settings ask for them.
    """

    tape: Path
    settings: ReplaySettings
    engine: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    elapsed_s: float = 0.0
    timing: Timing | None = None
    strategy: StrategyRun | None = None
    summaries: dict[str, pa.Table] = field(default_factory=dict)
    signals: dict[str, pa.Table] = field(default_factory=dict)
    anomalies: dict[str, pa.Table] = field(default_factory=dict)
    depth: dict[str, pa.Table] = field(default_factory=dict)
    trades: dict[str, pa.Table] = field(default_factory=dict)
    strategy_rows: dict[str, pa.Table] = field(default_factory=dict)
    synthetic: bool = False
    _plots: "ReplayPlots | None" = field(default=None, init=False, compare=False)

    @property
    def plot(self) -> "ReplayPlots":
        """The report's charts as Plotly figures: `plot.spread()` and `plot.durations()`."""
        from replay.report.plots import ReplayPlots  # noqa: PLC0415  which needs this module

        self._plots = self._plots or ReplayPlots(self)
        return self._plots

    @property
    def pacing(self) -> dict[str, float] | None:
        """Lateness and error of the duration in ms, rows over 10 ms late, silence cut; None if not paced."""
        return None if self.timing is None else msgspec.to_builtins(self.timing.document())

    @property
    def digest(self) -> str:
        """Digest of the run, hex."""
        return run_digest(products_with_rows(self.tallies))

    @property
    def frames(self) -> int:
        """Number of frames of all products."""
        return sum(tally.frames for tally in self.tallies.values())

    @property
    def frames_per_s(self) -> float:
        """Frames replayed in a second of wall time."""
        return self.frames / self.elapsed_s if self.elapsed_s else 0.0

    def summary(self) -> str:
        """Return one line: products, rows, signals and digest."""
        rows, signals = (
            sum(getattr(tally, name) for tally in self.tallies.values()) for name in ("rows", "signals")
        )
        products = products_title(self.tallies)
        threshold = format_threshold(self.settings.threshold)
        counts = f"{plural(rows, 'row')}, {plural(signals, 'signal')} above {threshold}"
        return f"{tapes_title(self.tape)} {products}, {counts}, digest {self.digest[:16]}"

    def table(self) -> pa.Table:
        """Return the counts of each product as a row, columns `TALLY_SCHEMA`."""
        return tally_table(self.tallies)

    def _document(self) -> RunDocument:
        return RunDocument.of(
            self,
            tape=str(self.tape),
            settings=self.settings.document(),
            products=tally_documents(self.tallies),
            pacing=self.timing and self.timing.document(),
            strategy=self.strategy and self.strategy.document(),
            strategy_digest=self.strategy and self.strategy.digest,
        )

    def merge(self, part: "RunResult") -> None:
        """Add the result of other products, or of the pieces that come next of the same ones."""
        for product, tally in part.tallies.items():
            if product in self.tallies:
                self.tallies[product].merge(tally)
            else:
                self.tallies[product] = tally
        for name in ("summaries", "signals", "anomalies", "depth", "trades", "strategy_rows"):
            tables = getattr(self, name)
            for product, table in getattr(part, name).items():
                tables[product] = pa.concat_tables([tables[product], table]) if product in tables else table
        if self.strategy is None:
            self.strategy = part.strategy
        elif part.strategy is not None:
            self.strategy.digests |= part.strategy.digests
        if self.timing is None:
            self.timing = part.timing
        elif part.timing is not None:
            self.timing.merge(part.timing)
