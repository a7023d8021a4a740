"""Figures of a backtest: profit and fills by setting, equity and drawdown of the best settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS, QueueModel
from replay.report.figures.chart import BLUE, GREEN, NO_LEGEND, ORANGE, STYLES, Chart, Figure
from replay.report.tables import Table
from replay.simulation.rows import BacktestRow

_COLOURS: Final = {"back": ORANGE, "share": BLUE, "front": GREEN}
_DASHES: Final = {"back": "dash", "share": "solid", "front": "dot"}
_SHARE: Final = "share of the accepted size (%)"
_RATIOS: Final = {"back": "fill_ratio_back", "share": "fill_ratio", "front": "fill_ratio_front"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting on one product.

    Attributes:
        label: its values that differ between settings.
        rows: its lanes, by queue model.
        equity: of its main lane: times in ms, and values; None where no book was known.
    """

    label: str
    rows: Mapping[QueueModel, BacktestRow]
    equity: tuple[Sequence[int | None], Sequence[float | None]] = ((), ())

    @property
    def plot_label(self) -> str:
        """The label as Plotly takes it, which would read tags in it."""
        return self.label.replace("&", "&amp;").replace("<", "&lt;")

    @property
    def main(self) -> BacktestRow:
        """The lane under the estimate, or under the only model."""
        return self.rows.get("share") or next(iter(self.rows.values()))


def net_chart(settings: Sequence[Setting], axis: str) -> Chart:
    """Return the profit by setting, with those of the other queue models around it."""
    models = [model for model in QUEUE_MODELS if model in settings[0].rows]
    nets = {model: [each.rows[model].net for each in settings] for model in models}
    lines = [
        _line(model, [each.plot_label for each in settings], nets[model])
        | ({"fill": "tonexty", "fillcolor": "rgba(125,136,148,0.25)"} if place else {})
        for place, model in enumerate(models)
    ]
    one = "Run with --queue back,share,front to see how much of it hangs on the queue."
    band = "The band is how much of it hangs on the place in the queue, which the feed does not say."
    cells = [
        [each.label, *(display.significant(each.rows[model].net) for model in models)] for each in settings
    ]
    return Chart(
        "net",
        "Net profit by setting",
        band if len(models) > 1 else one,
        {
            "data": lines,
            "layout": _by_setting(axis, "net (quote currency)") | ({} if len(models) > 1 else NO_LEGEND),
        },
        Table("Net profit by setting and queue model", [axis, *models], cells),
    )


def fills_chart(settings: Sequence[Setting], axis: str) -> Chart:
    """Return how much of the accepted size was filled, under each model of the queue."""
    labels = [each.plot_label for each in settings]
    bars: list[Figure] = []
    shares: dict[str, list[float | None]] = {}
    for model in QUEUE_MODELS:
        name = model if model != "share" or "share" in settings[0].rows else settings[0].main.queue
        ratios: list[float | None] = [getattr(each.main, _RATIOS[model]) for each in settings]
        shares[name] = [None if ratio is None else ratio * 100 for ratio in ratios]
        bars.append(
            {
                "type": "bar",
                "name": name,
                "x": labels,
                "y": shares[name],
                "marker": {"color": _COLOURS[model]},
                "hovertemplate": f"%{{x}}: %{{y:.4~g}} %<extra>{name}</extra>",
            }
        )
    cells = [
        [each.label, *(display.significant(values[place]) for values in shares.values())]
        for place, each in enumerate(settings)
    ]
    return Chart(
        "fills",
        "Fills by queue model",
        "How much of the accepted size was filled: the lower bound, what the lane took, and the upper bound.",
        {"data": bars, "layout": _by_setting(axis, _SHARE) | {"barmode": "group"}},
        Table("Share of the accepted size that was filled (%)", [axis, *shares], cells),
    )


def equity_chart(best: Sequence[Setting]) -> Chart:
    """Return the equity of the best settings over time."""
    return Chart(
        "equity",
        "Equity of the best settings",
        "Cash and position at the mid, on the grid of samples. Lines end where no book was known.",
        _over_time(best, [each.equity[1] for each in best], "equity (quote currency)"),
        _ends(best, "Equity of the best settings", "last", [each.equity[1] for each in best], -1),
    )


def drawdown_chart(best: Sequence[Setting]) -> Chart:
    """Return how far the equity of the best settings is below its highest mark before."""
    falls = [_drawdown(each.equity[1]) for each in best]
    return Chart(
        "drawdown",
        "Drawdown of the best settings",
        "How far the equity is below its highest mark before.",
        _over_time(best, falls, "drawdown (quote currency)"),
        Table(
            "Largest drawdown of the best settings",
            ["setting", "largest"],
            [[each.label, display.significant(each.main.drawdown)] for each in best],
        ),
    )


def _drawdown(equity: Sequence[float | None]) -> list[float | None]:
    highest: float | None = None
    falls: list[float | None] = []
    for value in equity:
        if value is not None:
            highest = value if highest is None else max(highest, value)
        falls.append(None if value is None or highest is None else value - highest)
    return falls


def _ends(
    best: Sequence[Setting], caption: str, heading: str, values: Sequence[Sequence[float | None]], at: int
) -> Table:
    known = [[value for value in line if value is not None] for line in values]
    cells = [
        [each.label, display.significant(line[at]) if line else "-"]
        for each, line in zip(best, known, strict=True)
    ]
    return Table(caption, ["setting", heading], cells)


def _over_time(best: Sequence[Setting], values: Sequence[Sequence[float | None]], title: str) -> Figure:
    lines = []
    for place, (each, line) in enumerate(zip(best, values, strict=True)):
        colour, dash, _ = STYLES[place % len(STYLES)]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": each.plot_label,
                "x": each.equity[0],
                "y": line,
                "line": {"color": colour, "dash": dash, "width": 2, "shape": "hv"},
                "hovertemplate": "%{x}: %{y:,.6~g}<extra>%{fullData.name}</extra>",
            }
        )
    axes = {"xaxis": {"type": "date", "title": {"text": "time (UTC)"}}, "yaxis": {"title": {"text": title}}}
    return {"data": lines, "layout": {**axes, "showlegend": True}}


def _line(model: QueueModel, labels: Sequence[str], values: Sequence[float | None]) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": model,
        "x": labels,
        "y": values,
        "line": {"color": _COLOURS[model], "dash": _DASHES[model], "width": 2},
        "marker": {"color": _COLOURS[model], "size": 7},
        "hovertemplate": f"%{{x}}: %{{y:,.6~g}}<extra>{model}</extra>",
    }


def _by_setting(axis: str, title: str) -> Figure:
    return {
        "xaxis": {"type": "category", "title": {"text": axis}},
        "yaxis": {"title": {"text": title}},
        "showlegend": True,
    }
