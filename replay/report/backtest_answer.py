"""What a backtest found, in sentences: the best setting of each product, and what limits the numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import UNSET

from orderbook import display
from orderbook.execution.codes import QUEUE_MODELS, QueueModel
from replay.report.collect.lanes import LaneEvidence
from replay.report.collect.traded import TradedProduct
from replay.report.figures.trading import TradedSubject
from replay.report.page import Finding
from replay.simulation.results import Backtest
from replay.simulation.rows import CAVEATS


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was kept of a product on a tape.

    Attributes:
        seen: all of it.
        settings: numbers of the settings that were run for it, in the order of its lanes; empty if it was
            watched in the pass itself.
        digests: execution digests of those lanes.
    """

    seen: TradedProduct
    settings: Sequence[int] = ()
    digests: Mapping[tuple[int, QueueModel], str] = field(default_factory=dict)

    def lanes(self, setting: int) -> dict[QueueModel, LaneEvidence]:
        """Return what was kept of the lanes of a setting."""
        if not self.settings:
            place = setting
        elif setting in self.settings:
            place = self.settings.index(setting)
        else:
            return {}
        found = {queue: self.seen.lanes.get((place, queue)) for queue in QUEUE_MODELS}
        return {queue: lane for queue, lane in found.items() if lane is not None}


def sentence(subject: TradedSubject) -> str:
    """Return what was found of a product, without its name."""
    count = len(subject.compared)
    if not subject.best or not subject.best[0].main.fills:
        return _unfilled(subject)
    best = subject.best[0]
    row, unit = best.main, display.quote_of(best.main.product)
    who = "" if count == 1 else f"the best setting that was filled (of {count:,}{subject.at}), {best.label}, "
    if row.net is None:
        done = f"has no known net with {display.plural(row.fills, 'fill')}"
    else:
        gross, fees = display.signed(row.net + row.fees), display.significant(row.fees)
        done = (
            f"{display.profit(row.net, unit)} with {display.plural(row.fills, 'fill')}"
            f" ({gross} before fees of {fees})"
            f"{f'; {display.by_queue(best.bounds)}' if best.bounds else ''}"
        )
    text = f"{who}{done}."
    unfilled = sum(not each.main.fills for each in subject.compared)
    if (row.net or 0.0) < 0:
        text += " Not trading was better" + (
            f": {display.plural(unfilled, 'setting')} had no fill." if unfilled else "."
        )
    return text


def _unfilled(subject: TradedSubject) -> str:
    """Return what was found of a product that the estimate never filled."""
    rows = [row for each in subject.compared for row in each.rows.values()]
    main = subject.compared[0].main
    count = len(subject.compared)
    if not any(row.orders for row in rows):
        why = ", as no book with both sides was known" if subject.is_bookless else ""
        return (
            "no order was sent" if count == 1 else f"none of {count:,} settings sent an order"
        ) + f"{why}."
    who = "the strategy was never filled" if count == 1 else f"none of {count:,} settings was filled"
    who += subject.at
    others = [row.net for row in rows if row.fills and row.net is not None]
    if not others:
        return f"{who}."
    return (
        f"{who} under {main.queue}; at other places in the queue the net was"
        f" {display.bounds(min(others), max(others))} {subject.unit}."
    )


def without_book(result: Backtest) -> Iterator[Finding]:
    """Yield the products that were not run."""
    for product in sorted(set(result.settings.products) - {row.product for row in result.rows}):
        yield Finding("", product, "no book in this part of the tape, so nothing was run.")


def caveats(result: Backtest, drawn: Mapping[tuple[Path, str], Drawn]) -> Iterator[str]:
    """Yield what limits the answer."""
    if result.settings.best_at is not None:
        yield (
            f"A latency is not chosen: settings are compared at the largest, {result.settings.best_at};"
            " what the others give is a curve of the best one."
        )
    if result.trials > 1 and any(row.fills for row in result.rows):
        judged = [
            f"{each.product} is {'within' if each.is_luck else 'above'} what luck gives"
            for each in result.luck()
        ]
        yield "The best of many settings looks better than it is: part of it is luck" + (
            f": {'; '.join(judged)}." if judged else "."
        )
    if len(result.settings.queues) == 1:
        yield (
            f"Only the queue model {result.settings.queues[0]} was run: --queue back,share,front also gives"
            " the bounds."
        )
    products = {row.product for row in result.rows}
    for caveat, meaning in CAVEATS.items():
        where = sorted({row.product for row in result.rows if caveat in row.caveats})
        if where:
            yield f"{meaning[0].upper()}{meaning[1:]}" + (
                f" ({', '.join(where)})." if len(where) < len(products) else "."
            )
    wrong = sorted(
        {product for (path, product), each in drawn.items() if _differs(result, path, product, each)}
    )
    if wrong:
        yield (
            f"The strategy did something else when its best settings were run again for the figures"
            f" ({', '.join(wrong)}): the figures over time do not show what the numbers say."
        )


def _differs(result: Backtest, tape: Path, product: str, drawn: Drawn) -> bool:
    """Tell whether the lanes that were run again did something else than in the pass."""
    told = {
        (row.setting, row.queue): row.execution_digest
        for row in result.rows
        if row.product == product and row.tape in {UNSET, str(tape)}
    }
    return any(told.get(lane) != digest for lane, digest in drawn.digests.items())
