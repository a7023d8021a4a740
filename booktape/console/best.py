"""The best setting of a backtest on a terminal: of how many it is the best, and whether that is luck."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any, Final

from booktape.console.columns import amount, money
from orderbook import display
from replay.report.collect.evidence import evenly_chosen
from replay.simulation.columns import cell
from replay.simulation.documents import BestRow
from replay.simulation.luck import FEWEST_PERIODS, Luck
from replay.simulation.neighbours import Nearest, NeighbourPoint, Neighbours
from replay.simulation.results import Backtest
from replay.simulation.settings import LATENCY

_SHOWN_POINTS: Final = 12


def best_lines(result: Backtest) -> Iterator[str]:
    """Yield the best setting of each product, of how many it is the best, and whether it is above luck.

    Of one setting under several latencies there is no best, only what it comes to under each.
    """
    judged = {(each.product, each.queue): each for each in result.luck()}
    neighbours, nearest = result.neighbours(), result.nearest()
    if not any(row.orders for row in result.totals):
        return
    for best in result.best_rows():
        product = best.product
        around = [each for each in neighbours if each.product == product and best.fills]
        near = [each for each in nearest if each.product == product and best.fills]
        if result.trials > 1:
            yield _best(result, best)
            yield from (
                map(_nearest, near) if near else (_beside(each) for each in around if each.name != LATENCY)
            )
        for each in around:
            if each.name == LATENCY:
                what = (
                    "  By latency" if result.trials > 1 else f"{each.by.capitalize()} of {product} by latency"
                )
                yield f"{what}: {_points(evenly_chosen(each.points, _SHOWN_POINTS))}"
        if best.fills and (found := judged.get((product, best.queue))):
            if found.setting != best.setting:
                yield f"The largest net has {_named(result.settings.settings[found.setting])}"
            yield _luck(found, "hour" if result.settings.by == "hour" else "day")
    if result.trials > 1 and result.settings.by in {"hour", "day"} and not judged:
        by = result.settings.by
        yield f"How much of it is luck is not judged: that needs {FEWEST_PERIODS} {by}s with a known book"


def _best(result: Backtest, best: BestRow) -> str:
    if best.best_by == "net" and not best.fills:
        return _idle(result, best)
    luck = "so some of it is luck" if best.fills else "and it was never filled"
    if best.best_by == "net" and best.fills and (best.net or 0.0) < 0:
        luck = "and not trading was better"
    at = "" if best.best_at is None else f" at the largest latency, {best.best_at}"
    values = {name: value for name, value in result.values(best).items() if not (at and name == LATENCY)}
    found = amount(best.best_by, cell(best, best.best_by), best.product)
    return (
        f"Best {best.best_by} of {best.product}: {found} with {_named(values)}, {best.queue}: the best of "
        f"{_tried(result, best.best_of)}{at}, {luck}"
    )


def _idle(result: Backtest, best: BestRow) -> str:
    """Return that nothing is better than not to trade, and which setting that did is the best."""
    compared = result.settings.numbers_at(result.settings.best_at)
    rows = [
        row
        for row in result.totals
        if (row.product, row.queue) == (best.product, best.queue) and row.setting in compared
    ]
    filled = [row for row in rows if row.fills and row.net is not None]
    at = "" if best.best_at is None else f" at the largest latency, {best.best_at}"
    if not filled:
        return (
            f"Best net of {best.product}: none of {_tried(result, best.best_of)} was filled{at}, {best.queue}"
        )
    first = max(filled, key=lambda row: row.net or 0.0)
    values = {name: value for name, value in result.values(first).items() if not (at and name == LATENCY)}
    unit = display.quote_of(best.product)
    return (
        f"Best net of {best.product}{at}: 0 {unit} without a fill ({len(rows) - len(filled):,} of"
        f" {_tried(result, best.best_of)}); of those filled the best"
        f" {display.profit(first.net or 0.0, unit)} with {_named(values)}, {best.queue}"
    )


def _beside(found: Neighbours) -> str:
    """Return what the next values of a setting come to."""
    points, place = found.points, found.place
    beside = [each for each in (place - 1, place + 1) if 0 <= each < len(points)]
    edge = "" if len(beside) == 2 else f"; {points[place].at} is at the edge of what was tried"
    return f"  Next to it in {found.name}: {_points(points[each] for each in beside)}{edge}"


def _nearest(found: Nearest) -> str:
    """Return what the nearest settings come to, and how far they are."""
    values = [each.value for each in found.points if each.value is not None]
    if not values:
        return f"  The settings nearest to it have no {found.by}"
    within = f"{found.points[-1].distance * 100:.2g}"
    return (
        f"  The {display.plural(len(found.points), 'setting')} nearest to it, within {within} % of each"
        f" range: {money(min(values))} to {money(max(values))}, {money(median(values))} in the middle"
    )


def _points(points: Iterable[NeighbourPoint]) -> str:
    return ", ".join(f"{money(each.value)} at {each.at}" for each in points)


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _tried(result: Backtest, settings: int) -> str:
    """Return how many settings were tried, in how many trials of a study."""
    tried = display.plural(settings, "setting")
    search = result.search
    if search is None or not search.earlier:
        return tried
    return f"{tried} (of {search.trials:,} trials, {search.earlier:,} were of earlier runs)"


def _luck(found: Luck, period: str) -> str:
    """Return in a sentence how far a best setting is above luck."""
    verdict = "within what luck gives" if found.is_luck else "above what luck gives"
    own, by_luck = display.significant(found.sharpe), display.significant(found.sharpe_by_luck)
    sure = "-" if found.deflated_sharpe is None else display.percent(found.deflated_sharpe)
    unit = "" if found.deflated_sharpe is None else " %"
    if found.reality_check is None:
        check = "for the reality check install booktape[search]"
    else:
        check = f"{display.percent(found.reality_check)} % of histories without profit have one as good"
    return (
        f"{found.product}: {verdict}. Its Sharpe ratio by {period} is {own}; that of the best of "
        f"{found.trials} settings without profit would be {by_luck}. It is higher with probability "
        f"{sure}{unit} ({display.plural(found.periods, period)}); {check}"
    )
