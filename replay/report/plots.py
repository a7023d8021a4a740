"""The charts of a report as Plotly figures: `result.plot.equity()` and the like, for notebooks.

They are those of `html=`, by the same functions. What is drawn over time is no part of a result: for it the
tape is read once more, and of a backtest the best settings are run again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orderbook.display import printable
from orderbook.errors import OptionError
from recorder.tape.reader import Tape
from replay.comparing.api import compare
from replay.comparing.default_thresholds import middle_threshold
from replay.comparing.results import Comparison
from replay.comparing.settings import CompareSettings
from replay.report.api import Report
from replay.report.backtest import BacktestReport
from replay.report.backtest_page import page_of, subjects_of
from replay.report.comparison_page import subjects_of as subjects_of_comparison
from replay.report.figures.trading import plain
from replay.report.page import Page, Section
from replay.running.results import RunResult
from replay.simulation.results import Backtest

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Key = tuple[str, Path | str | None]
"""A product, and its tape; None for all tapes together."""

_TITLE: Final = 200  # characters
_HEIGHT: Final = 420
_TALL: Final = 640


class _Plots:
    """The charts of a result.

    Args:
        sections: returns the sections of the report by product and tape, without what is drawn over time.
        sections_over_time: returns all of them.
    """

    def __init__(
        self,
        sections: Callable[[], Mapping[Key, Section]],
        sections_over_time: Callable[[], Mapping[Key, Section]],
    ) -> None:
        self._make = {False: sections, True: sections_over_time}
        self._made: dict[bool, Mapping[Key, Section]] = {}

    def _figure(
        self, name: str, needs: str, product: str | None, tape: Any, *, over_time: bool = False
    ) -> "Figure":
        """Return a chart.

        Args:
            name: its name in the report.
            needs: what it needs, if it is not there.
            product: product id; None for the only one.
            tape: path of the tape; None for the only one, or for all together.
            over_time: whether it needs the tape once more.

        Raises:
            OptionError: if several products or tapes could be meant, or there is nothing to draw.
        """
        if over_time not in self._made:
            self._made[over_time] = self._make[over_time]()
        section = _chosen(self._made[over_time], product, tape, over_time=over_time)
        chart = next((each for each in section.drawn if each.name == name), None)
        if chart is None or chart.figure is None:
            raise OptionError(f"nothing to draw: this chart needs {needs}", option="plot")
        from plotly.graph_objects import Figure  # noqa: PLC0415  takes a second to load

        traces = [
            {**section.shared.get(trace.get("same", ""), {}), **trace} for trace in chart.figure["data"]
        ]
        for trace in traces:
            trace.pop("same", None)
        figure = Figure(data=traces, layout=chart.figure["layout"])
        return figure.update_layout(
            title={"text": plain(chart.title, _TITLE)},
            template="plotly_white",
            height=_TALL if chart.is_tall else _HEIGHT,
        )


def _chosen(sections: Mapping[Key, Section], product: str | None, tape: Any, *, over_time: bool) -> Section:
    """Return the section that is meant."""
    products = list(dict.fromkeys(name for name, _ in sections))
    if product is None and len(products) > 1:
        raise OptionError(f"name one of {', '.join(products)}", option="product", value=product)
    name = products[0] if product is None else product
    tapes = [path for each, path in sections if each == name]
    if not tapes:
        raise OptionError(f"no product {printable(str(name))!r} here", option="product", value=product)
    if tape is not None:
        tapes = [path for path in tapes if str(path) == str(tape)]
    if len(tapes) > 1 and not over_time:
        tapes = [path for path in tapes if path is None]
    if len(tapes) != 1:
        known = ", ".join(str(path) for each, path in sections if each == name and path is not None)
        raise OptionError(f"name one of {known}", option="tape", value=tape)
    return sections[name, tapes[0]]


class BacktestPlots(_Plots):
    """The charts of a backtest. Each takes `product` and `tape`, which may be left out if there is one."""

    def __init__(self, result: Backtest) -> None:
        def sections(page: Page) -> Mapping[Key, Section]:
            keys: list[Key] = [
                (product, path) for product, found in subjects_of(result).items() for path in found
            ]
            return dict(zip(keys, page.sections, strict=True))

        def over_time() -> Mapping[Key, Section]:
            report = BacktestReport(None, [Tape.open(path) for path, _ in result.tapes], result.settings)
            return sections(report.page(result, "auto", None))

        super().__init__(lambda: sections(page_of(result, {}, frozenset(), None)), over_time)

    def equity(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return equity and drawdown of the best settings over time; they are run again."""
        return self._figure("equity", "a setting that was filled", product, tape, over_time=True)

    def prices(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return prices, fills, position and equity of the best setting over time; it is run again."""
        return self._figure("tape", "a setting that was filled", product, tape, over_time=True)

    def depth(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the depth of the book over time with the orders of the best setting; it is run again."""
        return self._figure("depth", "a book and a setting that was filled", product, tape, over_time=True)

    def net(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the net profit of each setting, between the bounds of the queue models."""
        return self._figure("net", "several settings, one of which was filled", product, tape)

    def heatmap(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the net profit over two swept settings."""
        return self._figure("map", "exactly two swept settings", product, tape)

    def neighbours(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the net profit of the settings around the best one: how flat the optimum is."""
        return self._figure("around", "several settings, the best of which was filled", product, tape)

    def latency(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the net profit of the best setting against the latency."""
        return self._figure("latency", "several latencies", product, tape)

    def orders(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return what became of the orders of the best setting; it is run again."""
        return self._figure("funnel", "orders", product, tape, over_time=True)

    def markouts(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return how the mid moved after the fills of the best setting."""
        return self._figure("markouts", "fills, and the mid after them", product, tape)


class ComparisonPlots(_Plots):
    """The charts of a comparison. Each takes `product` and `tape`, which may be left out if there is one."""

    def __init__(self, comparison: Comparison) -> None:
        def report_of() -> Report:
            thresholds, is_own = (
                comparison.settings.thresholds,
                comparison.settings.thresholds_from == "spread",
            )
            spreads = {product: comparison.whole(product).spread for product in comparison.products if is_own}
            found = {product: middle_threshold(each, thresholds) for product, each in spreads.items()}
            details = {product: each for product, each in found.items() if each is not None}
            return Report(None, thresholds, len(comparison.groups), None, details, comparison.settings.window)

        def sections(report: Report) -> Mapping[Key, Section]:
            keys = [(each.product, each.tape) for each in subjects_of_comparison(comparison)]
            return dict(zip(keys, report.page(comparison).sections, strict=True))

        def over_time() -> Mapping[Key, Section]:
            report = report_of()
            compare([each.tape for each in comparison.tapes], comparison.settings, watch=report.watch)
            return sections(report)

        super().__init__(lambda: sections(report_of()), over_time)

    def spread(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return prices and spread over time; the tape is read once more."""
        return self._figure("spread", "a book", product, tape, over_time=True)

    def depth(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the depth of the book over time with the trades of others; the tape is read once more."""
        return self._figure("depth", "a book", product, tape, over_time=True)

    def share(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the share of the observed time above each threshold."""
        return self._figure("share", "several thresholds", product, tape)

    def durations(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return how long episodes last, by threshold."""
        return self._figure("durations", "several thresholds, and an episode", product, tape)

    def markouts(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return how the mid moved after the start of an episode, by threshold."""
        return self._figure("markouts", "several thresholds, and an episode", product, tape)

    def heatmap(self, product: str | None = None, tape: Any = None) -> "Figure":
        """Return the share above by hour of the day and threshold; the tape is read once more."""
        return self._figure("hours", "several hours", product, tape, over_time=True)


class ReplayPlots(_Plots):
    """The charts of a replay: those of a comparison of its one threshold; the tape is read once more."""

    def __init__(self, result: RunResult) -> None:
        settings = result.settings
        compared = CompareSettings((settings.threshold,), settings.products, settings.window)

        def over_time() -> Mapping[Key, Section]:
            report = Report(None, compared.thresholds, len(result.tallies), window=compared.window)
            comparison = compare([result.tape], compared, watch=report.watch)
            keys = [(each.product, each.tape) for each in subjects_of_comparison(comparison)]
            return dict(zip(keys, report.page(comparison).sections, strict=True))

        super().__init__(over_time, over_time)

    def spread(self, product: str | None = None) -> "Figure":
        """Return prices and spread over time."""
        return self._figure("spread", "a book", product, None, over_time=True)

    def durations(self, product: str | None = None) -> "Figure":
        """Return how long the episodes above the threshold lasted."""
        return self._figure("histogram", "two episodes", product, None, over_time=True)
