"""The exact numbers of a lane, on one tape or added up over several."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from orderbook.execution.codes import QueueModel
from orderbook.execution.latency import Latency
from orderbook.execution.market import Touch
from orderbook.execution.settings import ProductRules
from orderbook.execution.totals import LaneTotals
from replay.simulation.lane_runs import LaneRun, ProductRun
from replay.simulation.settings import BacktestSettings

_BATCHED_NS = 100_000_000
"""A latency below this is less than what a batched channel shows."""


@dataclass(slots=True)
class LaneSums:
    """What a lane has come to: prices and sizes in units of 1e-8, money in units of 1e-16.

    Attributes:
        tape: number of the tape; None of all together.
        observed_ns: time in which a book was known.
        unrealised_twice, net_twice, net_exit: at the last mid that is known; None if there was none.
        mark_twice, marked_at: twice that mid, and when it last held; None of several tapes.
        carries_trades: whether each tape carried trades.
        digest: of everything that happened to the orders, hex.
    """

    tape: int | None
    product: str
    setting: int
    queue: QueueModel
    totals: LaneTotals
    observed_ns: int
    turnover: int
    fees: int
    realised: int
    unrealised_twice: int | None
    net_twice: int | None
    net_exit: int | None
    mark_twice: int | None
    marked_at: int | None
    position: int
    interrupted: tuple[int, int, int]
    trades: int
    carries_trades: bool
    trade_gaps: int
    trades_malformed: int
    sizes_cut: int
    tick: int | None
    shown_tick: int | None
    shown_lot: int | None
    caveats: frozenset[str]
    digest: str


def market_of(lane: LaneSums) -> tuple[object, ...]:
    """Return what a lane has of the market, which all lanes of its product have alike."""
    return (
        *(lane.observed_ns, lane.trades, lane.carries_trades, lane.trade_gaps, lane.trades_malformed),
        *(lane.sizes_cut, lane.tick, lane.shown_tick, lane.shown_lot),
    )


def sums_of(run: ProductRun, settings: BacktestSettings, tape: int) -> Iterator[LaneSums]:
    """Yield the numbers of all lanes of a product on a tape."""
    market = run.shown.market
    for found in run.lanes:
        lane = found.lane
        account, totals, broken = lane.account, lane.totals, lane.broken
        marked = totals.last_known
        touch = Touch(marked.bid, marked.ask) if marked else Touch(None, None)
        equity_twice, equity_exit = account.equity_twice(touch.mid_twice), account.equity_exit(*touch)
        yield LaneSums(
            tape=tape,
            product=run.product,
            setting=found.setting,
            queue=found.queue,
            totals=totals,
            observed_ns=run.tally.observed_ns,
            turnover=account.turnover,
            fees=account.fees,
            realised=account.realised,
            unrealised_twice=account.unrealised_twice(touch.mid_twice),
            net_twice=None if equity_twice is None else equity_twice - 2 * account.start,
            net_exit=None if equity_exit is None else equity_exit - account.start,
            mark_twice=touch.mid_twice,
            marked_at=None if marked is None else marked.time,
            position=account.position,
            interrupted=(broken.size, broken.through, broken.traded),
            trades=run.shown.trades,
            carries_trades=run.shown.watch.had_trades,
            trade_gaps=run.shown.watch.gaps,
            trades_malformed=run.shown.watch.malformed,
            sizes_cut=market.sizes_cut,
            tick=market.tick,
            shown_tick=market.shown_tick,
            shown_lot=market.shown_lot,
            caveats=frozenset(_caveats(run, found, totals, settings)),
            digest=lane.digest.hexdigest(),
        )


def total(lanes: list[LaneSums]) -> LaneSums:
    """Return one lane over several tapes: each began flat, and nothing spans two."""
    first = lanes[0]
    totals = LaneTotals(first.totals.equity_every, first.totals.horizons)
    for each in lanes:
        totals.merge(each.totals)
    size, through, traded = map(sum, zip(*(each.interrupted for each in lanes), strict=True))
    ticks, shown_ticks, shown_lots = (
        {getattr(each, name) for each in lanes} for name in ("tick", "shown_tick", "shown_lot")
    )
    return LaneSums(
        tape=None,
        product=first.product,
        setting=first.setting,
        queue=first.queue,
        totals=totals,
        observed_ns=sum(each.observed_ns for each in lanes),
        turnover=sum(each.turnover for each in lanes),
        fees=sum(each.fees for each in lanes),
        realised=sum(each.realised for each in lanes),
        unrealised_twice=_sum(each.unrealised_twice for each in lanes),
        net_twice=_sum(each.net_twice for each in lanes),
        net_exit=_sum(each.net_exit for each in lanes),
        mark_twice=None,
        marked_at=None,
        position=sum(each.position for each in lanes),
        interrupted=(size, through, traded),
        trades=sum(each.trades for each in lanes),
        carries_trades=all(each.carries_trades for each in lanes),
        trade_gaps=sum(each.trade_gaps for each in lanes),
        trades_malformed=sum(each.trades_malformed for each in lanes),
        sizes_cut=sum(each.sizes_cut for each in lanes),
        tick=ticks.pop() if len(ticks) == 1 else None,
        shown_tick=shown_ticks.pop() if len(shown_ticks) == 1 else None,
        shown_lot=shown_lots.pop() if len(shown_lots) == 1 else None,
        caveats=frozenset().union(*(each.caveats for each in lanes)),
        digest=digest_of(each.digest for each in lanes),
    )


def digest_of(digests: Iterable[str]) -> str:
    """Return the digest over those of several tapes, in the order in which they were named."""
    return sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _sum(values: Iterator[int | None]) -> int | None:
    """Return the sum of what is known; where no mid was ever known nothing was filled."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _caveats(
    run: ProductRun, found: LaneRun, totals: LaneTotals, settings: BacktestSettings
) -> Iterator[str]:
    """Yield what limits the numbers of a lane; `rows.CAVEATS` has the meanings."""
    lane = found.lane
    if not run.shown.watch.had_trades:
        yield "no_trades"
    if run.shown.watch.malformed:
        yield "trades_malformed"
    if run.shown.watch.gaps:
        yield "trade_gaps"
    if lane.broken.size:
        yield "interruptions"
    if totals.exceeds_level:
        yield "size"
    if _is_short(settings.of_lane(settings.settings[found.setting], found.queue).latency):
        yield "latency"
    rules, market = settings.rules_of.get(run.product, ProductRules()), run.shown.market
    if market.shown_tick and market.tick and market.shown_tick % market.tick:
        yield "tick"
    if market.shown_lot and market.shown_lot % rules.lot:
        yield "lot"
    if lane.account.position and market.touch.mid_twice is None and not _knew_to_the_end(run, totals):
        yield "mark"


def _knew_to_the_end(run: ProductRun, totals: LaneTotals) -> bool:
    """Return whether the last row is what ended the book, as the disconnect at the end of most tapes."""
    return totals.last_known is not None and totals.last_known.time == run.tally.last_time


def _is_short(latency: Latency) -> bool:
    return latency.delay(0, 0) < _BATCHED_NS
