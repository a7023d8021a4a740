"""The report of a backtest: created before the pass, given its tables, written after it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from msgspec import UNSET

from orderbook import display
from recorder.installed import tape_name
from replay.comparing.metrics import horizon_label
from replay.comparing.results import versions
from replay.report.collect.equity import EquityCollector, LaneKey
from replay.report.collect.evidence import evenly_chosen
from replay.report.content import Section
from replay.report.figures import lanes
from replay.report.figures.lanes import Setting
from replay.report.render import plotly_source, render, write_page
from replay.report.tables import Table
from replay.run_dir.writer import refuse_existing
from replay.simulation.results import Backtest
from replay.simulation.rows import CAVEATS, BacktestRow

_MOST_SETTINGS: Final = 60
_MOST_ROWS: Final = 500
_BEST: Final = 5
_LONGEST: Final = 40  # characters of a label


class BacktestReport:
    """The report of a backtest. What would fail after the pass fails at once.

    Args:
        path: file to write.

    Raises:
        RunError: if the file exists already, or its directory does not.
        ReportError: if plotly is not installed.
    """

    def __init__(self, path: Path) -> None:
        refuse_existing(path)
        plotly_source()
        self._path = path
        self._equity = EquityCollector()

    def watch(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Take rows of a lane that are whole."""
        self._equity(stream, product, batch)

    def write(self, result: Backtest, command: str | None) -> None:
        """Write the file.

        Args:
            result: the result, sorted.
            command: the command line that started it, if one did.

        Raises:
            RunError: if the file exists by now.
            ReportError: if the file cannot be written.
        """
        write_page(self._path, render(_content(result, self._equity, command), "backtest.html"))


@dataclass(frozen=True, slots=True)
class _Content:
    """The whole report, as page.html shows it."""

    title: str
    span: str
    sections: list[Section]
    command: str | None
    origin: Mapping[str, str]

    def figure_data(self) -> dict[str, dict[str, Any]]:
        """Return what report.js draws, by the id of the element."""
        figures = {f"{part.id}-{chart.name}": chart.figure for part in self.sections for chart in part.charts}
        return {"figures": figures, "episodes": {}}


def _content(result: Backtest, equity: EquityCollector, command: str | None) -> _Content:
    settings = result.settings
    what = f"strategy {settings.name}" if settings.name else "a table of orders"
    software = ", ".join(
        f"{name} {number}" for name, number in (versions() | {"plotly": version("plotly")}).items()
    )
    tapes = ", ".join(tape_name(path) for path, _ in result.tapes)
    by_product = sorted(result.rows, key=_subject)
    return _Content(
        title=f"Backtest of {what} over {tapes}",
        span=f"fees {settings.fees_text}, latency {settings.latency}",
        sections=[
            _section(f"p{place}", list(rows), result, equity)
            for place, (_, rows) in enumerate(groupby(by_product, key=_subject))
        ],
        command=command,
        origin={
            "digest of executions": result.execution_digest,
            **{f"digest of summaries of {path}": digest for path, digest in result.tapes},
            "software": software,
        },
    )


def _subject(row: BacktestRow) -> tuple[str, bool, str]:
    """Return what a section is about: a product on a tape; all tapes together come last."""
    return row.product, row.tape is None, str(row.tape)


def _section(id_: str, rows: Sequence[BacktestRow], result: Backtest, equity: EquityCollector) -> Section:
    product, tape = rows[0].product, rows[0].tape
    title = product if tape is UNSET else f"{product}, {tape or 'all tapes'}"
    settings = list(_settings(rows, result))
    ranked = sorted(
        (each for each in settings if each.main.net is not None),
        key=lambda each: each.main.net or 0.0,
        reverse=True,
    )
    best = [
        Setting(
            each.label,
            each.rows,
            equity.points(LaneKey(product, tape or UNSET, each.main.setting, each.main.queue)),
        )
        for each in ranked[:_BEST]
    ]
    shown = evenly_chosen(settings, _MOST_SETTINGS)
    axis = ", ".join(result.swept()) or "setting"
    charts = [lanes.net_chart(shown, axis), lanes.fills_chart(shown, axis)]
    if best and tape is not None:  # all tapes together have no common time
        charts += [lanes.equity_chart(best), lanes.drawdown_chart(best)]
    return Section(
        id_,
        title,
        _facts(rows, best, result.swept()),
        _table(rows, result),
        charts,
        [],
        _note(settings, shown),
    )


def _settings(rows: Sequence[BacktestRow], result: Backtest) -> Iterator[Setting]:
    """Yield the settings in their order, with their lanes."""
    swept = result.swept()
    ordered = sorted(rows, key=lambda row: row.setting)
    for number, lanes_of in groupby(ordered, key=lambda row: row.setting):
        values = result.settings.settings[number]
        named = [f"{name}={values.get(name)}" for name in swept]
        label = str(values.get(swept[0])) if len(swept) == 1 else ", ".join(named) or "as given"
        yield Setting(display.printable(label, _LONGEST), {row.queue: row for row in lanes_of})


def _facts(rows: Sequence[BacktestRow], best: Sequence[Setting], swept: Sequence[str]) -> dict[str, str]:
    row = rows[0]
    facts = {
        "observed": f"{display.seconds(row.observed_s)} s",
        "trades of others": row.trades if row.trades == "none" else display.count(row.trades),
        "tick": display.price(row.tick),
    }
    if best:
        name = f"{swept[0]}=" if len(swept) == 1 else ""
        number = len({each.setting for each in rows})
        luck = f", the best of {display.plural(number, 'setting')}" if number > 1 else ""
        facts["best net"] = f"{display.significant(best[0].main.net)} with {name}{best[0].label}{luck}"
    caveats = dict.fromkeys(caveat for each in rows for caveat in each.caveats)
    if caveats:
        facts["what limits the numbers"] = "; ".join(CAVEATS[caveat] for caveat in caveats)
    return facts


def _table(rows: Sequence[BacktestRow], result: Backtest) -> Table:
    swept = result.swept()
    headings = [
        *(*swept, "queue", "orders", "fills", "filled (%)", "back (%)", "front (%)", "net", "fees"),
        *("position", "drawdown", "turnover", "Sharpe", "its error"),
        *(f"after {horizon_label(horizon)} (bps)" for horizon in result.settings.lane.markouts),
    ]
    cells = [
        [
            *(display.printable(str(result.values(row).get(name)), 60) for name in swept),
            *(row.queue, display.count(row.orders), display.count(row.fills)),
            *map(display.percent, (row.fill_ratio, row.fill_ratio_back, row.fill_ratio_front)),
            *map(display.significant, (row.net, row.fees, row.position, row.drawdown, row.turnover)),
            *map(display.significant, (row.sharpe, row.sharpe_standard_error)),
            *(display.significant(found.all.mean_bps) for found in row.markouts.values()),
        ]
        for row in rows[:_MOST_ROWS]
    ]
    left_out = len(rows) - len(cells)
    caption = "The lanes" + (f", {display.count(left_out)} more in --csv" if left_out else "")
    return Table(caption, headings, cells, text_columns=len(swept) + 1)


def _note(settings: Sequence[Setting], shown: Sequence[Setting]) -> str:
    if len(shown) == len(settings):
        return ""
    return f"The figures by setting show {len(shown)} of {len(settings):,} settings, evenly chosen."
