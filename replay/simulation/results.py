"""The result of a backtest: a row of numbers for each product, setting and queue model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec import UNSET

from orderbook.display import plural
from orderbook.errors import OptionError
from orderbook.execution.codes import QueueModel
from orderbook.execution.digest import run_digest
from orderbook.result import Result
from recorder.installed import tapes_title
from replay.simulation.columns import (
    backtest_schema,
    cell,
    csv_of,
    flat_part,
    flat_row,
    parts_schema,
    setting_names,
    sort_columns,
    sort_rows,
    table_of,
)
from replay.simulation.documents import BacktestDocument, BacktestTapeDocument, BestRow, SearchDocument
from replay.simulation.luck import Luck, luck_of
from replay.simulation.neighbours import Nearest, Neighbours, nearest_of, neighbours_of
from replay.simulation.parts import BacktestPart
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import BacktestSettings, plain_settings
from replay.simulation.sums import digest_of

if TYPE_CHECKING:
    from replay.report.plots import BacktestPlots


@dataclass(slots=True, repr=False)
class Backtest(Result):
    """The result of a backtest.

    Attributes:
        tapes: the tapes, in the order in which they were named, and the digest of the summaries of each.
        settings: what was run.
        rows: the numbers of each lane: by product, tape (the total of several last), setting and queue model.
        parts: the numbers of each part of each lane, if they are split.
        orders, fills, resting, equity, log: Arrow tables over all products, first column `product`, if kept.
        elapsed_s: wall time in seconds.
        search: how the settings were chosen, if they were searched.
    """

    tapes: tuple[tuple[Path, str], ...]
    settings: BacktestSettings
    rows: list[BacktestRow]
    parts: list[BacktestPart] = field(default_factory=list)
    orders: pa.Table | None = None
    fills: pa.Table | None = None
    resting: pa.Table | None = None
    equity: pa.Table | None = None
    log: pa.Table | None = None
    elapsed_s: float = 0.0
    search: SearchDocument | None = None
    _plots: "BacktestPlots | None" = field(default=None, init=False, compare=False)

    @property
    def plot(self) -> "BacktestPlots":
        """The report's charts as Plotly figures: `plot.equity()`, `net`, `heatmap`, `markouts` and more."""
        from replay.report.plots import BacktestPlots  # noqa: PLC0415  which needs this module

        self._plots = self._plots or BacktestPlots(self)
        return self._plots

    @property
    def tape(self) -> Path | None:
        """Path of the tape, None if there are several."""
        return self.tapes[0][0] if len(self.tapes) == 1 else None

    @property
    def digest(self) -> str | None:
        """Digest of the summaries, hex; None if there are several tapes."""
        return self.tapes[0][1] if len(self.tapes) == 1 else None

    @property
    def title(self) -> str:
        """The names of the tapes and a colon."""
        return tapes_title(*(path for path, _ in self.tapes))

    @property
    def execution_digest(self) -> str:
        """Digest of all that happened to the orders of all lanes, hex; of several tapes over theirs."""
        digests = [self._execution_digest(str(path)) for path, _ in self.tapes]
        return digests[0] if len(digests) == 1 else digest_of(digests)

    def _execution_digest(self, tape: str) -> str:
        return run_digest(
            (row.product, row.setting, row.queue, row.execution_digest)
            for row in self.rows
            if row.tape in {UNSET, tape}
        )

    @property
    def totals(self) -> list[BacktestRow]:
        """The rows of all tapes together, which are all rows if there is one tape."""
        return [row for row in self.rows if not isinstance(row.tape, str)]

    @property
    def trials(self) -> int:
        """Number of settings that were tried, earlier runs of a study included; a latency is no setting."""
        return len(self.settings.numbers_at(self.settings.best_at))

    @property
    def chosen_by(self) -> str:
        """The column by which the best setting is named: that of the search, else `net`."""
        return "net" if self.search is None else self.search.choose

    @property
    def main_queue(self) -> QueueModel:
        """The queue model by which the best setting is named: `share` if it was run."""
        models = self.settings.queues
        return "share" if "share" in models else models[0]

    def values(self, row: BacktestRow) -> Mapping[str, Any]:
        """Return the settings of the strategy in a row."""
        return self.settings.settings[row.setting]

    def swept(self) -> list[str]:
        """Return the names of the settings that differ between lanes."""
        return self.settings.swept()

    def summary(self) -> str:
        """Return one line: lanes, fills and digest."""
        fills = sum(row.fills for row in self.totals)
        what = f"{plural(len(self.totals), 'lane')}, {plural(fills, 'fill')}"
        return f"{self.title} {what}, execution digest {self.execution_digest[:16]}"

    def sort(self, by: str) -> None:
        """Sort the rows by a column of `table()`: what names a lane ascending, others largest first.

        Raises:
            OptionError: if there is no such column.
        """
        self._check_column(by)
        self.rows = [self.rows[place] for place in sort_rows(self._flat_rows(), by)]

    def best(
        self,
        by: str = "net",
        product: str | None = None,
        queue: QueueModel | None = None,
        latency: str | None = None,
    ) -> BestRow:
        """Return the row with the largest value of a column, and of how many settings it is the best.

        Of several tapes it is the best over all of them. Of several latencies it is the best at one, as
        nobody chooses a latency.

        Args:
            by: column of `table()`.
            product: product id; None for all.
            queue: queue model; None for all.
            latency: one of several latencies as it was written; None for the largest, `settings.best_at`.

        Raises:
            OptionError: if there is no such column or latency, or no row with a value.
        """
        self._check_column(by)
        if latency is not None and latency not in self.settings.latencies:
            known = ", ".join(self.settings.latencies) or "several"
            raise OptionError(f"{latency!r} is not one of {known}", option="latency", value=latency)
        at = latency or self.settings.best_at
        compared = self.settings.numbers_at(at)
        rows = [
            (value, row)
            for row in self.totals
            if row.setting in compared
            and product in {None, row.product}
            and queue in {None, row.queue}
            and (value := self._cell(row, by)) is not None
        ]
        if not rows:
            raise OptionError(f"no row has a value of {by!r}", option="by", value=by)
        _, found = max(rows, key=lambda each: each[0])
        settings = len({row.setting for _, row in rows})
        return BestRow(**msgspec.structs.asdict(found), best_by=by, best_of=settings, best_at=at)

    def luck(self) -> list[Luck]:
        """Return how far the best setting of each product and queue model is above what luck gives.

        It is judged by the profit of each hour or day: `by` must be one of both, and 30 of them are needed,
        and two settings. The list is empty otherwise. Of several latencies the largest counts, as in `best`.
        """
        if self.settings.by not in {"hour", "day"}:
            return []
        compared = self.settings.numbers_at(self.settings.best_at)
        return list(luck_of([part for part in self.parts if part.setting in compared]))

    def neighbours(self) -> list[Neighbours]:
        """Return what the settings next to the best one of each product come to: how flat the optimum is.

        The best is that of `chosen_by` under `main_queue`. Only settings that differ from it in one value are
        its neighbours: so there are none without a sweep, and few in a search, which has `nearest` for it.
        """
        return [
            each
            for best in self.best_rows()
            for each in neighbours_of(best, self._rows_beside(best), self.settings.settings, self.chosen_by)
        ]

    def nearest(self) -> list[Nearest]:
        """Return what the settings nearest to the best one come to, of products where it has few neighbours.

        That is so if settings were searched or drawn at random, and differ in more than one value each.
        """
        compared = self.settings.numbers_at(self.settings.best_at)
        found = (
            nearest_of(
                best,
                [row for row in self._rows_beside(best) if row.setting in compared],
                self.settings.settings,
                self.chosen_by,
            )
            for best in self.best_rows()
        )
        return [each for each in found if each is not None]

    def _rows_beside(self, best: BestRow) -> list[BacktestRow]:
        return [row for row in self.totals if (row.product, row.queue) == (best.product, best.queue)]

    def best_rows(self) -> list[BestRow]:
        """Return the best row of each product by `chosen_by` under `main_queue`, if one has a value."""
        by, queue = self.chosen_by, self.main_queue
        compared = self.settings.numbers_at(self.settings.best_at)
        known = (
            row.product
            for row in self.totals
            if row.queue == queue and row.setting in compared and cell(row, by) is not None
        )
        return [self.best(by, product, queue) for product in dict.fromkeys(known)]

    def table(self) -> pa.Table:
        """Return a row for each lane, its mark-outs and the settings of its strategy included."""
        return table_of(
            self._flat_rows(),
            backtest_schema(self.settings.lane.markouts, has_tapes=len(self.tapes) > 1),
            self._setting_names,
        )

    def parts_table(self) -> pa.Table:
        """Return a row for each part of each lane, columns `PARTS_SCHEMA` and those of the settings."""
        rows = [flat_part(part, self.settings.settings[part.setting]) for part in self.parts]
        return table_of(rows, parts_schema(has_tapes=len(self.tapes) > 1), self._setting_names)

    def csv(self) -> str:
        """Return the rows as CSV with a header: of the parts, if the lanes are split."""
        return csv_of(self.table() if self.settings.by is None else self.parts_table())

    @property
    def _setting_names(self) -> list[str]:
        return setting_names(self.settings.settings)

    def _flat_rows(self) -> list[dict[str, Any]]:
        empty = dict.fromkeys(self._setting_names)
        return [empty | flat_row(row, self.values(row)) for row in self.rows]

    def _cell(self, row: BacktestRow, column: str) -> Any:
        name = column.removeprefix("setting_")
        return cell(row, column) if name == column else flat_row(row, self.values(row)).get(column)

    def _check_column(self, by: str) -> None:
        has_tapes = len(self.tapes) > 1
        known = sort_columns(self.settings.lane.markouts, self.settings.settings, has_tapes=has_tapes)
        if by not in known:
            raise OptionError(f"{by!r} is not one of {', '.join(known)}", option="by", value=by)

    def _document(self) -> BacktestDocument:
        settings = self.settings
        return BacktestDocument.of(
            self,
            tape=None if self.tape is None else str(self.tape),
            tapes=[
                BacktestTapeDocument(str(path), digest, self._execution_digest(str(path)))
                for path, digest in self.tapes
            ],
            fees=settings.fees,
            latency=settings.latency,
            best_at=settings.best_at,
            seed=settings.lane.seed,
            impact=settings.lane.impact,
            on_break=settings.lane.on_break,
            settings=[plain_settings(each) for each in settings.settings],
            luck=self.luck(),
            neighbours=self.neighbours(),
            nearest=self.nearest(),
            run=settings.document(),
        )
