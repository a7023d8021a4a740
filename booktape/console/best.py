"""The best setting of a backtest on a terminal: of how many it is the best, and whether that is luck."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from booktape.console.columns import money
from orderbook import display
from replay.simulation.columns import cell
from replay.simulation.luck import FEWEST_PERIODS, Luck
from replay.simulation.neighbours import NeighbourPoint, Neighbours
from replay.simulation.results import Backtest
from replay.simulation.settings import LATENCY

_SHOWN_POINTS: Final = 12


def best_lines(result: Backtest) -> Iterator[str]:
    """Yield the best setting of each product, of how many it is the best, and whether it is above luck."""
    if result.trials < 2:
        return
    by = result.chosen_by
    judged = {(each.product, each.queue): each for each in result.luck()}
    neighbours = result.neighbours()
    for best in result.best_rows():
        product = best.product
        luck = "so some of it is luck" if best.fills else "and it was never filled"
        yield (
            f"Best {by} of {product}: {money(cell(best, by))} with {_named(result.values(best))}, "
            f"{best.queue}: the best of {_tried(result, best.best_of)}, {luck}"
        )
        if best.fills:
            yield from (_beside(each) for each in neighbours if each.product == product)
        if best.fills and (found := judged.get((product, best.queue))):
            if found.setting != best.setting:
                yield f"The largest net has {_named(result.settings.settings[found.setting])}"
            yield _luck(found, "hour" if result.settings.by == "hour" else "day")
    if result.settings.by in {"hour", "day"} and not judged:
        by = result.settings.by
        yield f"How much of it is luck is not judged: that needs {FEWEST_PERIODS} {by}s with a known book"


def _beside(found: Neighbours) -> str:
    """Return what the next values of a setting come to; of latencies all, as none is chosen."""
    points, place = found.points, found.place
    if found.name == LATENCY:
        return f"  By latency: {_points(points[:_SHOWN_POINTS])}"
    beside = [each for each in (place - 1, place + 1) if 0 <= each < len(points)]
    edge = "" if len(beside) == 2 else f"; {points[place].at} is at the edge of what was tried"
    return f"  Next to it in {found.name}: {_points(points[each] for each in beside)}{edge}"


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
    if found.reality_check is None:
        check = "for the reality check install booktape[search]"
    else:
        check = f"{display.percent(found.reality_check)} of histories without profit have one as good"
    return (
        f"{found.product}: {verdict}. Its Sharpe ratio by {period} is {own}; that of the best of "
        f"{found.trials} settings without profit would be {by_luck}. It is higher with probability {sure} "
        f"({display.plural(found.periods, period)}); {check}"
    )
