"""The result of a comparison: rows for people, JSON, CSV and Arrow."""

import csv
import io
import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.digest import run_digest
from orderbook.display import plural
from orderbook.document import Document
from orderbook.errors import OptionError
from orderbook.result import Result
from orderbook.tally import Tally, TallyDocument, products_with_rows, tally_documents
from recorder.installed import software_version, tapes_title
from recorder.tape.connections import Outage
from replay.checking.verdicts import Verdict
from replay.comparing.metrics import QUALITY_METRICS, row_schema, sort_columns
from replay.comparing.profits import Traded, TradedDocument
from replay.comparing.settings import CompareSettings, CompareSettingsDocument
from replay.comparing.sweep.spread_times import SpreadStatistics
from replay.comparing.sweep.statistics import ThresholdStatistics

if TYPE_CHECKING:
    from replay.report.plots import ComparisonPlots


class Quality(Document, frozen=True):
    """How far the numbers of a group can be trusted: a field for each metric of quality, and the verdicts.

    Attributes:
        connections: number of connections with each verdict.
    """

    excluded_s: float
    interruptions: int
    crossed: int
    verdict: Verdict | None
    connections: dict[Verdict, int]

    def row(self) -> dict[str, Any]:
        """Return the value of each metric of quality by name."""
        return {metric.name: getattr(self, metric.name) for metric in QUALITY_METRICS}


@dataclass(slots=True)
class Group:
    """The numbers of one product: of a tape or of several, as a whole or a part.

    Attributes:
        tape: None for the total of several tapes.
        product: id of the product.
        part: start of the hour or day (ISO), or number of the connection; None for the whole.
        statistics: one entry for each threshold.
        spread: distribution of the relative spread.
        quality: how far to trust the numbers.
        outage: the outage with which the tape ends; None without one, and for parts and totals of tapes.
    """

    tape: Path | None
    product: str
    part: str | int | None
    statistics: list[ThresholdStatistics]
    spread: SpreadStatistics
    quality: Quality
    outage: Outage | None = None


class TapeDocument(Document, frozen=True):
    """One tape of a comparison.

    Attributes:
        tape: directory of the tape.
        synthetic: whether a synthetic exchange sent its frames: no price was ever quoted.
        products: counts and digest by product.
    """

    tape: str
    synthetic: bool
    digest: str
    products: dict[str, TallyDocument]


@dataclass(slots=True)
class TapePass:
    """One tape of a comparison, with counts and digest of each product."""

    tape: Path
    tallies: dict[str, Tally]
    synthetic: bool = False

    @property
    def digest(self) -> str:
        """The digest of all its summaries, hex."""
        return run_digest(products_with_rows(self.tallies))

    def document(self) -> TapeDocument:
        """Return the JSON form."""
        return TapeDocument(str(self.tape), self.synthetic, self.digest, tally_documents(self.tallies))


def block_of(group: Group) -> tuple[str, Path | None]:
    """Return the product and tape of a group: all its parts form a block."""
    return group.product, group.tape


class ComparisonDocument(Document, frozen=True, kw_only=True):
    """The JSON form of `Comparison`, also in RUN/run.json.

    Attributes:
        tape, digest: of the tape; null if there are several.
        products: counts and digest by product; only of a single tape.
        rows: one entry for each group and threshold, with the columns of [numbers.md](numbers.md).
        spread: of each group: its product, tape (of several) and part, and the fields of `SpreadStatistics`.
        quality: of each group: its product, tape (of several) and part, and the fields of `Quality`.
        traded: what was traded to get the profits; null without a strategy.
        versions: versions of the software that made it.
    """

    tape: str | None
    digest: str | None
    products: dict[str, TallyDocument] | UnsetType = UNSET
    rows: list[dict[str, Any]]
    spread: list[Annotated[dict[str, Any], SpreadStatistics]]
    quality: list[Annotated[dict[str, Any], Quality]]
    tapes: list[TapeDocument]
    settings: CompareSettingsDocument
    episodes_of: tuple[float, ...]
    traded: TradedDocument | None
    command: str | None
    versions: dict[str, str]
    engine: str
    elapsed_s: float


@dataclass(slots=True, repr=False)
class Comparison(Result):
    """The numbers of each threshold.

    Attributes:
        settings: what was compared.
        engine: name of the engine that built the books.
        tapes: the tapes, in the order in which they were named.
        groups: by product, then tape (the total of several last), then part (the whole last).
        episodes_of: thresholds whose episodes were written one by one.
        command: the command line that made it; None if none did.
        elapsed_s: duration of the passes in seconds.
        traded: the backtest of each threshold; None without a strategy.
        sorted_by: the column by which the thresholds of each group are sorted.
    """

    settings: CompareSettings
    engine: str
    tapes: list[TapePass]
    groups: list[Group]
    episodes_of: tuple[float, ...] = ()
    command: str | None = None
    elapsed_s: float = 0.0
    traded: Traded | None = None
    sorted_by: str = "threshold"
    _plots: "ComparisonPlots | None" = field(default=None, init=False, compare=False)

    @property
    def plot(self) -> "ComparisonPlots":
        """The charts of the report as Plotly figures: `plot.share()`, `spread`, and more."""
        from replay.report.plots import ComparisonPlots  # noqa: PLC0415  which needs this module

        self._plots = self._plots or ComparisonPlots(self)
        return self._plots

    def whole(self, product: str) -> Group:
        """Return the numbers of a product over all tapes and parts."""
        return [group for group in self.groups if group.product == product and group.part is None][-1]

    @property
    def products(self) -> tuple[str, ...]:
        """The products, sorted."""
        return tuple(dict.fromkeys(group.product for group in self.groups))

    def summary(self) -> str:
        """Return one line: the tapes, their products, and how many thresholds were compared."""
        thresholds = plural(len(self.settings.thresholds), "threshold")
        tapes = tapes_title(*(tape.tape for tape in self.tapes))
        return f"{tapes} {thresholds} of {', '.join(self.products)}"

    def sort(self, column: str) -> None:
        """Sort the thresholds of each group by a column, null last: `threshold` ascending, others descending.

        Raises:
            OptionError: if rows cannot be sorted by that column.
        """
        directions = sort_columns(self.settings.horizons_ns, trades=self.traded is not None)
        if column not in directions:
            reason = f"rows cannot be sorted by {column!r}, but by {', '.join(directions)}"
            raise OptionError(reason, option="sort", value=column)
        self.sorted_by = column
        for group in self.groups:
            group.statistics.sort(key=lambda entry: entry.threshold)
            if directions[column] == "descending":
                values = {entry.threshold: self.values(group, entry)[column] for entry in group.statistics}
                group.statistics.sort(key=lambda entry: _or_least(values[entry.threshold]), reverse=True)

    def keep(self, *, min_signals: int = 0, min_episodes: int = 0) -> None:
        """Drop the thresholds with fewer signals or episodes from each group."""
        for group in self.groups:
            group.statistics = [
                entry
                for entry in group.statistics
                if entry.signals >= min_signals and entry.episodes >= min_episodes
            ]

    def keep_telling(self) -> None:
        """Drop the thresholds that select nothing of a product and tape, or the same as a higher one."""
        for _, block in groupby(self.groups, key=block_of):
            groups = list(block)
            highest = {entry.signals: entry.threshold for entry in groups[-1].statistics if entry.signals}
            for group in groups:
                group.statistics = [each for each in group.statistics if each.threshold in highest.values()]

    def entries(self) -> Iterator[tuple[Group, ThresholdStatistics]]:
        """Yield each group and threshold in the order of the rows: by block, and sorted in each group.

        Sorted by threshold, the parts of a threshold follow one another, so that one sees whether it holds
        over time.
        """
        for _, block in groupby(self.groups, key=block_of):
            found = [(group, entry) for group in block for entry in group.statistics]
            if self.sorted_by == "threshold":
                found.sort(key=lambda each: each[1].threshold)
            yield from found

    def values(self, group: Group, entry: ThresholdStatistics) -> dict[str, Any]:
        """Return the value of each metric of a threshold in a group."""
        row = entry.row()
        if self.traded is not None:
            tape = None if group.tape is None or len(self.tapes) == 1 else str(group.tape)
            row |= self.traded.profit(tape, group.product, group.part, entry.threshold)._asdict()
        return row

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict for each group and threshold; `replay.comparing.metrics` defines the columns."""
        around = {id(group): (self._place(group), group.quality.row()) for group in self.groups}
        rows = []
        for group, entry in self.entries():
            place, quality = around[id(group)]
            rows.append(place | self.values(group, entry) | quality)
        return rows

    def _place(self, group: Group) -> dict[str, Any]:
        place: dict[str, Any] = {"product": group.product}
        if len(self.tapes) > 1:
            place["tape"] = None if group.tape is None else str(group.tape)
        if self.settings.by is not None:
            place[self.settings.by] = group.part
        return place

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return pa.Table.from_pylist(self.rows(), self._schema())

    def csv(self) -> str:
        """Return the rows as CSV with a heading; null is an empty field."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self._schema().names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return text.getvalue()

    def _schema(self) -> pa.Schema:
        has_tapes, trades = len(self.tapes) > 1, self.traded is not None
        return row_schema(self.settings.horizons_ns, self.settings.by, has_tapes=has_tapes, trades=trades)

    def _document(self) -> ComparisonDocument:
        tapes = [tape.document() for tape in self.tapes]
        only = tapes[0] if len(tapes) == 1 else None
        return ComparisonDocument.of(
            self,
            tape=only and only.tape,
            digest=only and only.digest,
            products=UNSET if only is None else only.products,
            rows=self.rows(),
            spread=[self._place(group) | msgspec.structs.asdict(group.spread) for group in self.groups],
            quality=[self._place(group) | msgspec.structs.asdict(group.quality) for group in self.groups],
            tapes=tapes,
            settings=self.settings.document(),
            traded=None if self.traded is None else self.traded.document(),
            versions=versions(),
        )


def _or_least(value: float | None) -> float:
    return -math.inf if value is None else value


def versions() -> dict[str, str]:
    """Return the versions of the software that made a result."""
    return {
        "booktape": software_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }
